"""From a raw parent to its models, or to what of it this operator does not understand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from canarium import VERSION
from canarium.api.model_deployment import Spec
from canarium.api.status import Status


class UnsupportedResource(Exception):
    """A newer operator, or a newer schema, said something that this operator does not know."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what}: not supported by this operator ({VERSION}); the model is left unmanaged. "
            "Upgrade the operator or remove the field"
        )


def decode(raw: Mapping[str, Any]) -> tuple[Spec, Status]:
    """Spec and status of the parent `raw`. Raises NotUnderstood, with the path."""
    try:
        spec = Spec.model_validate(raw["spec"])
    except ValidationError as error:
        raise UnsupportedResource(_where("spec", error)) from error
    try:
        return spec, Status.model_validate(raw.get("status") or {})
    except ValidationError as error:
        raise UnsupportedResource(_where("status", error)) from error


def _where(root: str, error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    path = root
    for step in first["loc"]:
        path += f"[{step}]" if isinstance(step, int) else f".{step}"
    unknown = first["type"] == "extra_forbidden"
    return f"{path}: {'unknown field' if unknown else first['msg']}"
