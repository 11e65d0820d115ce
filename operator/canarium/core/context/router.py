"""The port to whatever splits traffic: decisions know weights, a router knows how to express them.

A router has two halves. Its queries answer without side effects; what they need to know of live
traffic they take from `ctx.traffic`. Its writes return actions, and nothing when what is wanted is
in effect already; nothing here performs a write. `core.routing` has the routers, and `choice` there
decides which one is in effect.

To add a router: a router whose object has weights by revision is a `kind` of the weighted router,
with its manifest in `render` and its projection in `engine.cache`. Any other one implements
`Router`, and a view of its traffic (`core.facts.traffic`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeVar

from canarium.core.decision.phase_result import PhaseResult
from canarium.core.decision.plan import Action
from canarium.core.facts.observed import Rejection

#: The context. It has the router, so the port cannot name its class.
C = TypeVar("C", contravariant=True)


@dataclass(frozen=True, slots=True)
class Blocker:
    """Why traffic cannot be split as the spec asks: a reason, and a sentence."""

    reason: str
    message: str
    #: The refused write that it is about, if it is about one.
    refusal: Rejection | None = None


class RouterQueries(Protocol[C]):
    """What may be done with traffic now."""

    def weight_applied(self, ctx: C, weight: int) -> bool:
        """Whether the candidate's `weight` is in effect (R6)."""
        ...

    def stable_has_all(self, ctx: C) -> bool:
        """Whether all traffic is on stable, so that pods of others may be deleted (R8)."""
        ...

    def can_fall_back(self, ctx: C) -> bool:
        """Whether all traffic on stable would leave callers no worse (R0)."""
        ...

    def ready_to_promote(self, ctx: C) -> bool:
        """Whether nothing but the promotion itself is left."""
        ...

    def blocker(self, ctx: C) -> Blocker | None:
        """What keeps new weights from taking effect; traffic stays as it is meanwhile."""
        ...

    def is_frozen(self, ctx: C) -> bool:
        """Whether its objects stay as they are, since what the spec asks for is not possible."""
        ...

    def weight_follows_pods(self, ctx: C) -> bool:
        """Whether more pods of the candidate raise its share by themselves now."""
        ...

    def candidate_color(self, ctx: C) -> str | None:
        """Colour for the pods of a new candidate; None while there is none."""
        ...

    def requeue_after(self, ctx: C) -> float | None:
        """Seconds until the next decision is due without any change of facts."""
        ...


class RouterWrites(Protocol[C]):
    """How traffic is moved."""

    def set_weight(self, ctx: C, weight: int) -> list[Action]:
        """Gives the candidate `weight` percent."""
        ...

    def hold_weight(self, ctx: C, *, relief: bool) -> list[Action]:
        """Keeps the weight that is reached while something is waited for.

        With `relief`, writes only what a stable without a ready pod needs (R13).
        """
        ...

    def route_all_to_stable(self, ctx: C, candidate: str | None = None) -> list[Action]:
        """Puts all traffic on stable, or on its standby.

        `candidate` stays on record in the same write, but alone it is no reason for one.
        """
        ...

    def roll_back(self, ctx: C) -> list[Action]:
        """Moves the traffic of a failed candidate to stable and quarantines it, in one write (R8,
        R9)."""
        ...

    def promote(
        self, ctx: C, revision: str, color: str, previous: str | None, since: str
    ) -> list[Action]:
        """Makes `revision` stable: weights and selectors change, never pods (R14)."""
        ...

    def undo(self, ctx: C) -> list[Action]:
        """Makes the warm previous version stable again and quarantines the target (R15)."""
        ...

    def repair(self, ctx: C, result: PhaseResult) -> list[Action]:
        """Restores and removes its objects where no phase moves traffic."""
        ...

    def fail_over(self, ctx: C, to: str) -> list[Action]:
        """Routes to `to` beside stable, or in its place. Who is stable stays as it is."""
        ...

    def fail_back(self, ctx: C, result: PhaseResult) -> list[Action]:
        """Takes from a standby the traffic that `result` does not give it."""
        ...


class Router(RouterQueries[C], RouterWrites[C], Protocol[C]):
    """One way to split traffic."""
