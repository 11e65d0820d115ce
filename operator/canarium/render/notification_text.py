"""Renders the title and the body that a model defines for its notifications.

The templates are written by tenants, and the notifier serves all of them. So they are those of
runtimes: values, conditions and filters, whose cost is bounded before they run. No worker process
is needed for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from canarium.api.reasons import FailureReason
from canarium.render.errors import RuntimeInvalid
from canarium.render.jinja import render

#: A notification of each field, with which a template is tried.
SAMPLE: Mapping[str, Any] = {
    "cluster": "cluster",
    "namespace": "namespace",
    "name": "name",
    "labels": {},
    "time": "2026-01-01T00:00:00.000Z",
    "type": "RolledBack",
    "revision": "abcd2345",
    "version": "1",
    "weight": 50,
    "reason": FailureReason.SERVER_EXITED.value,
    "message": "The server exited.",
}


class _AnyLabel(dict[str, str]):
    """Labels of a model; one that it does not have is empty, so that templates may use any."""

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str)

    def __missing__(self, key: str) -> str:
        return ""


def model_text(field: str, source: str, variables: Mapping[str, Any]) -> str:
    """Returns the text of spec.notifications.`field`; a variable without a value is empty.

    Raises RuntimeInvalid.
    """
    context: dict[str, Any] = {
        name: "" if value is None else value for name, value in variables.items()
    }
    context["labels"] = _AnyLabel(context.get("labels") or {})
    return render(source, context, f"spec.notifications.{field}", json_leaf=False)


def first_fault(notifications: Mapping[str, Any] | None) -> str | None:
    """Returns what is wrong with the title or the body in spec.notifications, with its field."""
    texts = ((field, (notifications or {}).get(field)) for field in ("title", "body"))
    faults = (fault(field, source) for field, source in texts if isinstance(source, str))
    return next((one for one in faults if one is not None), None)


@lru_cache(maxsize=256)
def fault(field: str, source: str) -> str | None:
    """Returns what is wrong with a template, for any notification."""
    try:
        model_text(field, source, SAMPLE)
    except RuntimeInvalid as error:
        return str(error)
    return None
