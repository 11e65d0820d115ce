"""The result of a phase, before the status is assembled and the bookkeeping is added.

A phase starts from one `PhaseResult` that names stable and candidate, adds its writes with `also`,
and ends with `wait`, `fail` or `say`. Every method returns a new value, so that a result can be
passed on and refined without side effects. Results are refined by these methods alone: no other
module copies them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from canarium.api.reasons import HoldReason, hold_reason
from canarium.api.states import Phase
from canarium.api.status import Failure, Outcome, Progress, WaitingFor
from canarium.core.decision.plan import Action, Event
from canarium.core.facts.observed import Rejection
from canarium.core.messages import sentences
from canarium.core.times import stamp

#: Where a fault was observed: a pod and its container, or the reason where no pod is affected.
Place = tuple[str, str | None]


@dataclass(frozen=True, slots=True)
class Wait:
    """What a phase waits for. The status adds when the wait began."""

    reason: str
    #: When the wait ends without any change; RFC 3339.
    until: str | None = None
    observed: str | None = None
    threshold: str | None = None
    pod: str | None = None
    container: str | None = None

    @property
    def awaited(self) -> HoldReason | None:
        """The reason as a `HoldReason`; None where it is that of a route or of the cluster."""
        return hold_reason(self.reason)

    @classmethod
    def of(cls, hold: WaitingFor) -> Wait:
        """Returns the wait from a status."""
        return cls(
            hold.reason,
            hold.expected_end_time,
            hold.observed,
            hold.threshold,
            hold.pod,
            hold.container,
        )


@dataclass(frozen=True)
class PhaseResult:
    """The outcome of one phase. `requeue_after` is in seconds."""

    message: str = ""
    actions: tuple[Action, ...] = ()
    events: tuple[Event, ...] = ()
    requeue_after: float | None = None
    progress: Progress | None = None
    #: Number of outages of stable in this bake.
    outages: int = 0
    waiting_for: Wait | None = None
    failure: Failure | None = None
    stable: str | None = None
    candidate: str | None = None
    previous: str | None = None
    bake_start_time: str | None = None
    outcome: Outcome | None = None
    reason: str = ""
    #: Phase to report, where it is not that of the row in the table.
    phase: Phase | None = None
    #: Whether callers still reach the version that has failed.
    receives_traffic: bool = False
    #: Rejected write that the message describes.
    rejection: Rejection | None = None
    #: Faults of pods that the message explains already: revision and place.
    explained: frozenset[tuple[str | None, Place]] = frozenset()
    #: Whether the message states already that stable has no ready pods, or waits for them.
    explains_outage: bool = False
    #: Names of gates that wait, and of those whose timeout fails the version.
    opened_gates: frozenset[str] = frozenset()
    expired_gates: frozenset[str] = frozenset()

    def with_message(self, *text: str | None) -> PhaseResult:
        """Returns this result explained by the sentences `text`."""
        return self._with(message=sentences(*text))

    def add(self, *text: str) -> PhaseResult:
        """Returns this result with the sentences `text` after those that it has."""
        return self.with_message(self.message, *text)

    def also(self, *actions: Action) -> PhaseResult:
        """Returns this result with `actions` appended."""
        return self._with(actions=(*self.actions, *actions))

    def with_actions(self, actions: tuple[Action, ...]) -> PhaseResult:
        """Returns this result with `actions` instead of those that it has."""
        return self._with(actions=actions)

    def with_events(self, *events: Event) -> PhaseResult:
        """Returns this result with `events` after those that it has."""
        return self._with(events=(*self.events, *events))

    def after_events(self, *events: Event) -> PhaseResult:
        """Returns this result with `events` before those that it has."""
        return self._with(events=(*events, *self.events))

    def with_outcome(self, outcome: Outcome | None) -> PhaseResult:
        """Returns this result with an entry for the history."""
        return self._with(outcome=outcome)

    def in_phase(self, phase: Phase) -> PhaseResult:
        """Returns this result, reported as `phase` instead of that of the table's row."""
        return self._with(phase=phase)

    def with_reason(self, reason: str) -> PhaseResult:
        """Returns this result with the reason of conditions that do not hold; "" is none."""
        return self._with(reason=reason)

    def still_receiving_traffic(self) -> PhaseResult:
        """Returns this result, in which callers still reach the version that has failed."""
        return self._with(receives_traffic=True)

    def with_revisions(
        self,
        stable: str | None,
        *,
        candidate: str | None = None,
        previous: str | None = None,
        bake_start_time: str | None = None,
    ) -> PhaseResult:
        """Returns this result with all revisions in the parts that they have after it."""
        return self._with(
            stable=stable,
            candidate=candidate,
            previous=previous,
            bake_start_time=bake_start_time,
        )

    def at(self, progress: Progress | None) -> PhaseResult:
        """Returns this result with the candidate at `progress`."""
        return self._with(progress=progress)

    def recheck_in(self, seconds: float | None) -> PhaseResult:
        """Returns this result with the next decision after `seconds` at the latest."""
        if seconds is None or (self.requeue_after is not None and self.requeue_after <= seconds):
            return self
        return self._with(requeue_after=seconds)

    def recheck_only_in(self, seconds: float | None) -> PhaseResult:
        """Returns this result, reconsidered after `seconds` instead of any earlier time; None: only
        a change of facts matters."""
        return self._with(requeue_after=seconds)

    def with_wait(self, wait: Wait | None) -> PhaseResult:
        """Returns this result with what is waited for, and its message as it is."""
        return self._with(waiting_for=wait)

    def wait(
        self,
        reason: str,
        *text: str | None,
        until: float | None = None,
        observed: str | None = None,
        threshold: str | None = None,
        pod: str | None = None,
        container: str | None = None,
    ) -> PhaseResult:
        """Returns this result waiting for `reason`, explained by the sentences `text`.

        `until` is in POSIX seconds.
        """
        end = stamp(until) if until is not None else None
        wait = Wait(reason, end, observed, threshold, pod, container)
        return self.with_message(*text).with_wait(wait)

    def explaining(self, revision: str | None, place: Place | None) -> PhaseResult:
        """Returns this result, whose message explains the fault of `revision` at `place`."""
        new = {(revision, place)} if place else set()
        return self._with(explained=self.explained | new)

    def explaining_outage(self) -> PhaseResult:
        """Returns this result, whose message states that stable has no ready pods."""
        return self._with(explains_outage=True)

    def opening(self, gates: Iterable[str]) -> PhaseResult:
        """Returns this result, which waits for `gates`."""
        return self._with(opened_gates=self.opened_gates | set(gates))

    def expiring(self, gates: Iterable[str]) -> PhaseResult:
        """Returns this result, in which the timeout of `gates` fails the version."""
        return self._with(expired_gates=self.expired_gates | set(gates))

    def with_rejection(self, rejection: Rejection | None) -> PhaseResult:
        """Returns this result, whose message describes the rejected write `rejection`."""
        return self._with(rejection=rejection)

    def fail(self, failure: Failure, *text: str) -> PhaseResult:
        """Returns this result with the target failed, explained by the sentences `text`."""
        failed = self._with(failure=failure, reason=failure.reason, requeue_after=None)
        return failed.with_message(*text) if text else failed

    def _with(self, **fields: Any) -> PhaseResult:
        """Returns a copy with other values of `fields`.

        A decision makes about ten, and `dataclasses.replace` takes ten times as long.
        """
        copy = object.__new__(PhaseResult)
        vars(copy).update(vars(self), **fields)
        return copy
