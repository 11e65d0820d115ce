"""The trace of a rollout, made from its transitions. Pure.

A rollout is one trace. Its root span lasts from `Started` until the version is promoted, rolled
back or superseded by another one, and has a span for each state between: the start of pods, each
weight, each pause and each wait for an approval. A bake is a further span, sent when it ends.
Identifiers are computed from the model, the revision and the moment of the start, so a repeated
delivery sends the same spans, also from another process.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from canarium.api.status.transition import Transition, TransitionType
from canarium.core.times import parse
from canarium.notifier.notification import Notification

#: Outcome of a rollout that a newer version ended.
SUPERSEDED = "Superseded"
#: Transitions that begin a state; a state ends with the next one.
_STATES: Mapping[str, str] = {
    TransitionType.STARTED: "start",
    TransitionType.WEIGHT_IN_EFFECT: "weight",
    TransitionType.PAUSED: "paused",
    TransitionType.WAITING_FOR_APPROVAL: "waiting for approval",
    TransitionType.WAITING_FOR_PROMOTION: "waiting for promotion",
    TransitionType.BLOCKED: "blocked",
}
#: Transitions that end the rollout or the bake of their revision.
_ENDS = frozenset(
    (
        *(TransitionType.PROMOTED, TransitionType.COMPLETED),
        *(TransitionType.ROLLED_BACK, TransitionType.UNDONE),
    )
)
_FAILED = frozenset((TransitionType.ROLLED_BACK, TransitionType.UNDONE))


Attributes = tuple[tuple[str, str | int], ...]


@dataclass(frozen=True, slots=True)
class Span:
    """One span; `start` and `end` in POSIX nanoseconds. `failed`: None while it is unknown."""

    name: str
    trace_id: bytes
    span_id: bytes
    parent_id: bytes | None
    start: int
    end: int
    attributes: Attributes
    failed: bool | None = None
    message: str = ""
    #: Name and POSIX nanoseconds of what happened meanwhile.
    events: tuple[tuple[str, int], ...] = ()


def spans_of(notification: Notification, cluster: str = "") -> tuple[Span, ...]:
    """Returns the spans that end with a transition; empty for one that ends none."""
    transition, earlier = notification.transition, notification.earlier
    if transition.type == TransitionType.STARTED:
        rollout = _rollout(earlier)
        if rollout and not any(t.type in _ENDS for t in rollout):
            return tuple(_whole(notification, rollout, transition, SUPERSEDED, cluster))
        return ()
    if transition.type not in _ENDS:
        return ()
    rollout = tuple(t for t in _rollout(earlier) if t.revision == transition.revision)
    if not rollout:
        return ()
    live = [t for t in rollout if t.type in (TransitionType.PROMOTED, TransitionType.COMPLETED)]
    if live:
        return (_live(notification, rollout[0], live[-1], cluster),)
    return tuple(_whole(notification, rollout, transition, transition.type, cluster))


def _rollout(earlier: Sequence[Transition]) -> tuple[Transition, ...]:
    """Returns the transitions since the last start, which is the first of them."""
    for index in range(len(earlier) - 1, -1, -1):
        if earlier[index].type == TransitionType.STARTED:
            return tuple(earlier[index:])
    return ()


def _whole(
    notification: Notification,
    rollout: Sequence[Transition],
    end: Transition,
    outcome: str,
    cluster: str,
) -> Iterator[Span]:
    """Yields the root span of a rollout that ends with `end`, and the spans of its states."""
    first = rollout[0]
    trace, root = _ids(notification, first)
    model = _about(notification, first, cluster)
    failed = end.type in _FAILED if outcome != SUPERSEDED else None
    reason = (("canarium.reason", end.reason),) if failed and end.reason else ()
    details = tuple((t.type, _ns(t)) for t in rollout if t.type not in _STATES)
    name = f"rollout {notification.namespace}/{notification.name}"
    yield Span(
        name, trace, root, None, _ns(first), _ns(end),
        (*model, ("canarium.outcome", outcome), *reason), failed, end.message if failed else "",
        details,
    )  # fmt: skip
    states = [t for t in rollout if t.type in _STATES]
    for index, (state, after) in enumerate(zip(states, [*states[1:], end], strict=True)):
        weight = state.weight if state.type == TransitionType.WEIGHT_IN_EFFECT else None
        shown = f"weight {weight}" if weight is not None else _STATES[state.type]
        step = (("canarium.weight", weight),) if weight is not None else ()
        waits = (("canarium.reason", state.reason),) if state.reason else ()
        identity = _short(trace, f"{index}/{state.time}")
        yield Span(
            shown, trace, identity, root, _ns(state), _ns(after), (*model, *step, *waits)
        )  # fmt: skip


def _live(notification: Notification, first: Transition, since: Transition, cluster: str) -> Span:
    """Returns the span of a promoted version: its bake, or the time from then until an undo."""
    end = notification.transition
    trace, root = _ids(notification, first)
    failed = end.type in _FAILED
    model = _about(notification, first, cluster)
    reason = (("canarium.reason", end.reason),) if failed and end.reason else ()
    name = "bake" if since.type == TransitionType.PROMOTED else "live"
    return Span(
        name=name,
        trace_id=trace,
        span_id=_short(trace, f"{name}/{since.time}"),
        parent_id=root,
        start=_ns(since),
        end=_ns(end),
        attributes=(*model, ("canarium.outcome", end.type), *reason),
        failed=failed,
        message=end.message if failed else "",
    )


def _about(notification: Notification, first: Transition, cluster: str) -> Attributes:
    facts = {
        "k8s.cluster.name": cluster,
        "k8s.namespace.name": notification.namespace,
        "canarium.model": notification.name,
        "canarium.revision": first.revision,
        "canarium.version": first.version,
    }
    return tuple((key, value) for key, value in facts.items() if value)


def _ids(notification: Notification, first: Transition) -> tuple[bytes, bytes]:
    """Returns the trace ID (16 bytes) and the ID of the root span (8 bytes)."""
    whole = f"{notification.uid}/{first.revision}/{first.time}"
    trace = hashlib.sha256(whole.encode()).digest()[:16]
    return trace, _short(trace, "rollout")


def _short(trace: bytes, what: str) -> bytes:
    return hashlib.sha256(trace + what.encode()).digest()[:8]


def _ns(transition: Transition) -> int:
    """Returns the time of a transition; the status has milliseconds."""
    return round(parse(transition.time) * 1000) * 1_000_000
