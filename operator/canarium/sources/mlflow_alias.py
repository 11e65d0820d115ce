"""The version of a registered model that an alias names: one request to MLflow's REST API."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote

from canarium.api.reasons import SpecReason
from canarium.api.uri import Address
from canarium.sources.errors import Unresolved
from canarium.sources.tracking_server import TrackingServer
from canarium.untrusted.quoting import quoted

_VERSION = re.compile(r"[1-9][0-9]{0,18}")


async def resolved(server: TrackingServer, address: Address) -> str:
    """Returns the URI of the version that the alias in `address` names. Raises Unresolved."""
    model, _, alias = address.place.partition("@")
    what = f"alias {alias!r} of model {unquote(model)!r} at {server}"
    answer = await server.get("registered-models/alias", what, name=unquote(model), alias=alias)
    version = answer.get("model_version")
    fields: dict[str, Any] = version if isinstance(version, dict) else {}
    number, state = str(fields.get("version", "")), fields.get("status", "READY")
    if not _VERSION.fullmatch(number):
        raise Unresolved(SpecReason.SOURCE_NOT_FOUND, f"{what}: the answer names no version")
    if state != "READY":
        text = f"{what} is version {number}, whose status is {quoted(state, 60)}"
        raise Unresolved(SpecReason.SOURCE_NOT_FOUND, text)
    return f"mlflow://{model}/{number}"
