"""Writes that cannot succeed as things are, and what a decision is told of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from canarium.core.observed import Rejection
from canarium.kube.faults import ApiError
from canarium.kube.kinds import Resource


class Refused(Exception):
    """A write that cannot succeed as things are; `rejection` tells a decision of it."""

    def __init__(self, rejection: Rejection) -> None:
        super().__init__(rejection.message)
        self.rejection = rejection


def refusal(resource: Resource, body: dict[str, Any], error: ApiError) -> Exception:
    """What the answer to a write of `body` means: Refused, or the error itself to try again."""
    if not error.rejected:
        return error
    what = f"{resource.kind} {body['metadata']['name']}"
    return Refused(Rejection(what, error.message))


def conflict(resource: Resource, body: Mapping[str, Any]) -> Refused:
    """The name of `body` is somebody else's (R24)."""
    what = f"{resource.kind} {body['metadata']['name']}"
    text = "exists and is not ours: rename or remove it"
    return Refused(Rejection(what, text, conflict=True))
