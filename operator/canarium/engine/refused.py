"""Writes that cannot succeed as things are, and what a decision is told of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from canarium.core.observed import Rejection
from canarium.kube.faults import ApiError
from canarium.kube.kinds import Resource


class Refused(Exception):
    """A write that cannot succeed as things are; `rejection` tells a decision of it."""

    def __init__(self, rejection: Rejection) -> None:
        super().__init__(rejection.message)
        self.rejection = rejection


def refusal(resource: Resource, name: str, error: ApiError) -> Exception:
    """What the answer to a write means: Refused, or the error itself to try again."""
    if not error.rejected:
        return error
    return Refused(Rejection(f"{resource.kind} {name}", error.message))


@contextmanager
def refusable(resource: Resource, name: str) -> Iterator[None]:
    """A write in this context raises Refused when it is refused, else the error itself."""
    try:
        yield
    except ApiError as error:
        raise refusal(resource, name, error) from error


def conflict(resource: Resource, body: Mapping[str, Any]) -> Refused:
    """The name of `body` is somebody else's (R24)."""
    what = f"{resource.kind} {body['metadata']['name']}"
    text = "exists and is not ours: rename or remove it"
    return Refused(Rejection(what, text, conflict=True))
