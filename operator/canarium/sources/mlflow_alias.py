"""The version of a registered model that an alias names: one request to MLflow's REST API."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import unquote

from canarium.api.reasons import SpecReason
from canarium.api.uri import Address
from canarium.signals.access import NamespaceAccess
from canarium.signals.errors import NoAnswer
from canarium.signals.prometheus import Endpoint
from canarium.sources.errors import Unresolved
from canarium.untrusted.quoting import quoted

_PATH = "/api/2.0/mlflow/registered-models/alias"
#: Maximum bytes of an answer: it is parsed on the event loop.
_LONGEST = 256 << 10
_VERSION = re.compile(r"[1-9][0-9]{0,18}")
_DENIED = frozenset({401, 403})
#: MLflow's codes for an object that does not exist; an unknown alias is an invalid parameter.
_MISSING = frozenset({"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"})


async def resolved(web: NamespaceAccess, address: Address, endpoint: Endpoint) -> str:
    """Returns the URI of the version that the alias in `address` names. Raises Unresolved."""
    model, _, alias = address.place.partition("@")
    what = f"alias {alias!r} of model {unquote(model)!r} at {endpoint}"
    query = {"name": unquote(model), "alias": alias}
    version = (await _answer(web, endpoint, what, query)).get("model_version")
    fields: dict[str, Any] = version if isinstance(version, dict) else {}
    number, state = str(fields.get("version", "")), fields.get("status", "READY")
    if not _VERSION.fullmatch(number):
        raise Unresolved(SpecReason.SOURCE_NOT_FOUND, f"{what}: the answer names no version")
    if state != "READY":
        text = f"{what} is version {number}, whose status is {quoted(state, 60)}"
        raise Unresolved(SpecReason.SOURCE_NOT_FOUND, text)
    return f"mlflow://{model}/{number}"


async def _answer(
    web: NamespaceAccess, endpoint: Endpoint, what: str, query: dict[str, str]
) -> dict[str, Any]:
    try:
        answer = await web.request(
            "GET",
            endpoint.url.rstrip("/") + _PATH,
            headers=endpoint.headers,
            query=query,
            patience=endpoint.patience,
            tls=endpoint.tls,
        )
    except NoAnswer as error:
        raise Unresolved(SpecReason.SOURCE_UNAVAILABLE, f"{what}: {error}") from error
    body = _object(answer.body)
    words = str((body or {}).get("message", ""))[:_LONGEST]
    for secret in endpoint.secrets:
        words = words.replace(secret, "[hidden]") if secret else words
    text = f"{what}: HTTP {answer.status} {quoted(words, 200)}".rstrip()
    if answer.status in _DENIED:
        raise Unresolved(SpecReason.SOURCE_ACCESS_DENIED, text)
    missing = answer.status != 200 and (body or {}).get("error_code") in _MISSING
    if answer.status == 404 or missing:
        raise Unresolved(SpecReason.SOURCE_NOT_FOUND, text)
    if answer.status != 200 or body is None:
        if answer.status == 200:  # Such as the login page of a proxy.
            text = f"{what}: the answer is not JSON, or is larger than {_LONGEST >> 10} KiB"
        raise Unresolved(SpecReason.SOURCE_UNAVAILABLE, text)
    return body


def _object(content: bytes) -> dict[str, Any] | None:
    if len(content) > _LONGEST:
        return None
    try:
        parsed = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) else None
