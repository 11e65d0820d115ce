"""Reads the version of the API server, for the few fields whose values depend on it."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import Any

import orjson

from canarium.kube.client import Api
from canarium.kube.errors import ApiError
from canarium.untrusted.quoting import quoted

log = logging.getLogger(__name__)
_LONGEST, _PATIENCE = 1 << 16, 3.0


async def minor_version(api: Api) -> int | None:
    """Returns the minor version of Kubernetes whose API the server offers; None if it is unknown,
    which is logged."""
    try:
        answer = orjson.loads(
            await api.read("/version", {}, namespace="", longest=_LONGEST, patience=_PATIENCE)
        )
    except (ApiError, ValueError) as error:
        log.warning("cannot read the version of the API server: %s", quoted(error))
        return None
    return parsed(answer) if isinstance(answer, dict) else None


def parsed(answer: Mapping[str, Any]) -> int | None:
    """Returns the minor version in an answer to `/version`, such as 34 of `34+`.

    A server that emulates an older version offers the API of that one.
    """
    text = str(answer.get("emulationMinor") or answer.get("minor") or "")
    digits = re.match(r"[0-9]{1,4}", text)
    return int(digits[0]) if digits else None
