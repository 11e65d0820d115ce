"""Which model, and which reconcile of it, the log lines of the current task are about.

A task inherits the context of the one that starts it. A reconcile starts tasks that outlive it,
some of which later work for other models: when it ends, its context is emptied for all of them.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_fields: ContextVar[dict[str, str] | None] = ContextVar("log fields", default=None)


def current() -> dict[str, str]:
    """Returns the fields of a log line: namespace, name, revision, reconcileID, as far as known."""
    return dict(_fields.get() or {})


@contextmanager
def reconciling(namespace: str, name: str) -> Iterator[None]:
    """Adds the model and a new random `reconcileID` to all log lines of the context."""
    fields = {"namespace": namespace, "name": name, "reconcileID": uuid.uuid4().hex}
    before = _fields.set(fields)
    try:
        yield
    finally:
        _fields.reset(before)
        fields.clear()


def revise(revision: str | None) -> None:
    """Adds the revision of the current spec to the further lines of this reconcile, if any."""
    fields = _fields.get()
    if fields and revision:
        fields["revision"] = revision


def about(namespace: str, name: str, revision: str | None = None) -> None:
    """Sets the model, and the revision, of all further log lines of the current task."""
    fields = {"namespace": namespace, "name": name}
    _fields.set({**fields, "revision": revision} if revision else fields)
