"""The port to whatever splits traffic: told by actions, read back from facts (design, part 3).

The decisions know weights; how a weight comes about, and when it is in effect, is a router's to
say. `byservice` is the callers' Service alone; `byroute` a route with weights before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from canarium.api.status import RouteStatus
from canarium.core.decision.plan import Action

if TYPE_CHECKING:
    from canarium.core.context.context import RolloutContext
    from canarium.core.decision.phase_result import PhaseResult
    from canarium.core.facts.gateways import Route
    from canarium.core.facts.observed import Rejection, Service


@dataclass(frozen=True, slots=True)
class Blocker:
    """Why traffic cannot be split as the spec says: the exact name, and a sentence."""

    reason: str
    message: str
    #: The refused write that it is, if it is one.
    refusal: Rejection | None = None


class Router(Protocol):
    """One way to split traffic. All methods are pure readings of a `Situation`."""

    # --- reading back -----------------------------------------------------------------------

    def witness(self, ctx: RolloutContext) -> Service | Route | None:
        """The object whose annotations say who is stable, changed in the write that moves
        traffic (R18)."""
        ...

    def is_exposed(self, ctx: RolloutContext) -> bool:
        """Whether the wanted revision was let to callers, by however little."""
        ...

    def weight_applied(self, ctx: RolloutContext, weight: int) -> bool:
        """Whether the candidate's `weight` is in effect (R6)."""
        ...

    def observed_weight(self, ctx: RolloutContext) -> int | None:
        """The candidate's percent as the witness has it; None when it does not say."""
        ...

    def effective_weight(self, ctx: RolloutContext, revision: str) -> int:
        """The percent that callers really give to `revision` (R6)."""
        ...

    def routes_to(self, ctx: RolloutContext, revision: str) -> bool:
        """Whether callers are led to ready pods of `revision`, by whatever share."""
        ...

    def covers_for_stable(self, ctx: RolloutContext, revision: str) -> bool:
        """Whether `revision` has traffic that it has for stable's sake alone."""
        ...

    def blocker(self, ctx: RolloutContext) -> Blocker | None:
        """What keeps new weights from being taken; traffic stays as it is until it is gone."""
        ...

    def is_frozen(self, ctx: RolloutContext) -> bool:
        """Whether its objects stay as they are, also where the spec has changed: what it says now
        cannot be had."""
        ...

    def status(self, ctx: RolloutContext) -> RouteStatus | None: ...

    # --- capacity ---------------------------------------------------------------------------

    def pods_needed(self, weight: int, stable_count: int) -> int:
        """Candidate pods for `weight` beside `stable_count` pods of stable (R5)."""
        ...

    def weight_follows_pods(self, ctx: RolloutContext) -> bool:
        """Whether more pods alone raise the candidate's share now."""
        ...

    def candidate_color(self, ctx: RolloutContext) -> str | None:
        """The colour for the pods of a new candidate; None while there is none."""
        ...

    # --- telling ----------------------------------------------------------------------------

    def set_weight(self, ctx: RolloutContext, weight: int) -> list[Action]:
        """Gives the candidate `weight`; nothing when it was told so already."""
        ...

    def hold_weight(self, ctx: RolloutContext, *, relief: bool) -> list[Action]:
        """Keeps to the weight that is reached while something is waited for. With `relief`, only
        what a stable without a ready pod needs (R13)."""
        ...

    def fail_over(self, ctx: RolloutContext, to: str) -> list[Action]:
        """Leads callers to `to` as well as, or instead of, stable; nothing when they are led there
        already. Who is stable stays as it is."""
        ...

    def fail_back(self, ctx: RolloutContext, result: PhaseResult) -> list[Action]:
        """Takes back from a standby what `result` does not give it."""
        ...

    def route_all_to_stable(
        self, ctx: RolloutContext, actions: list[Action], candidate: str | None = None
    ) -> bool:
        """Puts all traffic on stable; True when it is in effect, so that other pods may go (R8).

        `candidate` is told in the same write, but alone it is no reason for one.
        """
        ...

    def can_fall_back(self, ctx: RolloutContext) -> bool:
        """Whether all traffic on stable would leave callers no worse (R0)."""
        ...

    def roll_back(self, ctx: RolloutContext) -> list[Action]:
        """The candidate has failed: traffic to stable and the latch, in one write (R8, R9)."""
        ...

    def ready_to_promote(self, ctx: RolloutContext) -> bool:
        """Whether nothing but the promotion itself is left."""
        ...

    def promote(
        self, ctx: RolloutContext, revision: str, color: str, previous: str | None, since: str
    ) -> list[Action]:
        """`revision` becomes stable: weights and selectors change, never pods (R14)."""
        ...

    def undo(self, ctx: RolloutContext) -> list[Action]:
        """The warm version before is stable again, and the latch is told (R15)."""
        ...

    def repair(self, ctx: RolloutContext, result: PhaseResult) -> list[Action]:
        """What it needs besides, whatever the row of the table did."""
        ...

    def requeue_after(self, ctx: RolloutContext) -> float | None:
        """Seconds until it has to be looked at again without any change of facts."""
        ...
