"""Validates raw specs and statuses, or names the field that this operator does not support."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from canarium import VERSION
from canarium.api.model_deployment import Spec
from canarium.api.status import Status


class UnsupportedResource(Exception):
    """A spec or a status was written by a newer operator, or against a newer schema."""

    def __init__(self, what: str, remedy: str = "") -> None:
        super().__init__(
            f"{what}. This operator ({VERSION}) does not support it and leaves the model "
            f"unmanaged. Upgrade the operator{remedy}"
        )


def decode_spec(raw: Mapping[str, Any]) -> Spec:
    """Returns the raw spec as a model. Raises UnsupportedResource, with the path."""
    try:
        return Spec.model_validate(raw)
    except ValidationError as error:
        raise _unsupported("spec", error) from error


def decode_status(raw: Mapping[str, Any] | None) -> Status:
    """Returns the raw status as a model. Raises UnsupportedResource, with the path."""
    try:
        return Status.model_validate(raw or {})
    except ValidationError as error:
        raise _unsupported("status", error) from error


def _unsupported(root: str, error: ValidationError) -> UnsupportedResource:
    first = error.errors(include_url=False)[0]
    path = root
    for step in first["loc"]:
        path += f"[{step}]" if isinstance(step, int) else f".{step}"
    if first["type"] == "extra_forbidden":
        return UnsupportedResource(f"{path}: unknown field", " or remove the field")
    remedy = " or set the field" if first["type"] == "missing" else " or correct the field"
    return UnsupportedResource(f"{path}: {first['msg']}", remedy)
