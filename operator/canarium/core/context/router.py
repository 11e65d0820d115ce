"""The port to the router: decisions work with weights, a router expresses them.

A router has two halves. Its queries have no side effects and read live traffic from `ctx.traffic`.
Its writes return actions, none when the wanted state is in effect already; nothing here performs a
write. `core.routing` contains the routers, and its module `choice` selects the one in effect.

How to add a router: docs/contributing/adding-a-router.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeVar

from canarium.core.decision.phase_result import PhaseResult
from canarium.core.decision.plan import Action
from canarium.core.facts.observed import Rejection

#: The context. It contains the router, so the port cannot import its class.
C = TypeVar("C", contravariant=True)


@dataclass(frozen=True, slots=True)
class Blocker:
    """Why traffic cannot be split as the spec asks: a reason, and a sentence."""

    reason: str
    message: str
    #: The rejected write that causes it, if any.
    rejection: Rejection | None = None


class RouterQueries(Protocol[C]):
    """What is possible with traffic now."""

    def weight_applied(self, ctx: C, weight: int) -> bool:
        """Returns whether the candidate's `weight` is in effect (R6)."""
        ...

    def stable_has_all(self, ctx: C) -> bool:
        """Returns whether all traffic is on stable, so that other pods may be deleted (R8)."""
        ...

    def can_fall_back(self, ctx: C) -> bool:
        """Returns whether callers would be no worse with all traffic on stable (R0)."""
        ...

    def ready_to_promote(self, ctx: C) -> bool:
        """Returns whether the candidate can be promoted in this decision."""
        ...

    def blocker(self, ctx: C) -> Blocker | None:
        """Returns what prevents new weights from taking effect; traffic is left unchanged."""
        ...

    def is_frozen(self, ctx: C) -> bool:
        """Returns whether its objects are left unchanged, because the spec cannot be applied."""
        ...

    def weight_follows_pods(self, ctx: C) -> bool:
        """Returns whether adding pods of the candidate raises its share without a write."""
        ...

    def candidate_color(self, ctx: C) -> str | None:
        """Returns the colour for the pods of a new candidate; None while none is free."""
        ...

    def requeue_after(self, ctx: C) -> float | None:
        """Returns the seconds until the next decision without a change of facts; None: never."""
        ...


class RouterWrites(Protocol[C]):
    """How traffic is moved."""

    def set_weight(self, ctx: C, weight: int) -> list[Action]:
        """Routes `weight` percent to the candidate."""
        ...

    def hold_weight(self, ctx: C, *, relief: bool) -> list[Action]:
        """Maintains the current weight during a wait.

        With `relief`, writes only what is needed while stable has no ready pods (R13).
        """
        ...

    def route_all_to_stable(self, ctx: C, candidate: str | None = None) -> list[Action]:
        """Routes all traffic to stable, or to its standby.

        The write keeps `candidate` on record; a different candidate alone does not cause a write.
        """
        ...

    def roll_back(self, ctx: C) -> list[Action]:
        """Moves the traffic of a failed candidate to stable and quarantines it, in one write (R8,
        R9)."""
        ...

    def promote(
        self, ctx: C, revision: str, color: str, previous: str | None, since: str
    ) -> list[Action]:
        """Makes `revision` stable; changes weights and selectors, never pods (R14)."""
        ...

    def undo(self, ctx: C) -> list[Action]:
        """Makes the warm previous version stable again and quarantines the target (R15)."""
        ...

    def repair(self, ctx: C, result: PhaseResult) -> list[Action]:
        """Restores and deletes the router's objects where no phase moves traffic."""
        ...

    def fail_over(self, ctx: C, to: str) -> list[Action]:
        """Routes traffic to `to` beside stable, or in its place. Stable itself is unchanged."""
        ...

    def fail_back(self, ctx: C, result: PhaseResult) -> list[Action]:
        """Removes from a standby the traffic that `result` does not grant it."""
        ...


class Router(RouterQueries[C], RouterWrites[C], Protocol[C]):
    """One way to split traffic."""
