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

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what}: not supported by this operator ({VERSION}); the model is left unmanaged. "
            "Upgrade the operator or remove the field"
        )


def decode_spec(raw: Mapping[str, Any]) -> Spec:
    """Returns the raw spec as a model. Raises UnsupportedResource, with the path."""
    try:
        return Spec.model_validate(raw)
    except ValidationError as error:
        raise UnsupportedResource(_where("spec", error)) from error


def decode_status(raw: Mapping[str, Any] | None) -> Status:
    """Returns the raw status as a model. Raises UnsupportedResource, with the path."""
    try:
        return Status.model_validate(raw or {})
    except ValidationError as error:
        raise UnsupportedResource(_where("status", error)) from error


def _where(root: str, error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    path = root
    for step in first["loc"]:
        path += f"[{step}]" if isinstance(step, int) else f".{step}"
    unknown = first["type"] == "extra_forbidden"
    return f"{path}: {'unknown field' if unknown else first['msg']}"
