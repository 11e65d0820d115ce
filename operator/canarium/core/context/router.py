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
    from canarium.core.context.context import Situation
    from canarium.core.decision.phase_result import PhaseResult
    from canarium.core.facts.gateways import Route
    from canarium.core.facts.observed import Rejection, Service


@dataclass(frozen=True, slots=True)
class Fault:
    """Why traffic cannot be split as the spec says: the exact name, and a sentence."""

    reason: str
    message: str
    #: The refused write that it is, if it is one.
    refusal: Rejection | None = None


class Router(Protocol):
    """One way to split traffic. All methods are pure readings of a `Situation`."""

    # --- reading back -----------------------------------------------------------------------

    def witness(self, s: Situation) -> Service | Route | None:
        """The object whose annotations say who is stable, changed in the write that moves
        traffic (R18)."""
        ...

    def given(self, s: Situation) -> bool:
        """Whether the wanted revision was let to callers, by however little."""
        ...

    def taken(self, s: Situation, weight: int) -> bool:
        """Whether the candidate's `weight` is in effect (R6)."""
        ...

    def split(self, s: Situation) -> int | None:
        """The candidate's percent as the witness has it; None when it does not say."""
        ...

    def share(self, s: Situation, revision: str) -> int:
        """The percent that callers really give to `revision` (R6)."""
        ...

    def leads_to(self, s: Situation, revision: str) -> bool:
        """Whether callers are led to ready pods of `revision`, by whatever share."""
        ...

    def covers(self, s: Situation, revision: str) -> bool:
        """Whether `revision` has traffic that it has for stable's sake alone."""
        ...

    def fault(self, s: Situation) -> Fault | None:
        """What keeps new weights from being taken; traffic stays as it is until it is gone."""
        ...

    def frozen(self, s: Situation) -> bool:
        """Whether its objects stay as they are, also where the spec has changed: what it says now
        cannot be had."""
        ...

    def status(self, s: Situation) -> RouteStatus | None: ...

    # --- capacity ---------------------------------------------------------------------------

    def needed(self, weight: int, stable_count: int) -> int:
        """Candidate pods for `weight` beside `stable_count` pods of stable (R5)."""
        ...

    def rises_by_pods(self, s: Situation) -> bool:
        """Whether more pods alone raise the candidate's share now."""
        ...

    def color(self, s: Situation) -> str | None:
        """The colour for the pods of a new candidate; None while there is none."""
        ...

    # --- telling ----------------------------------------------------------------------------

    def give(self, s: Situation, weight: int) -> list[Action]:
        """Gives the candidate `weight`; nothing when it was told so already."""
        ...

    def keep(self, s: Situation, *, relief: bool) -> list[Action]:
        """Keeps to the weight that is reached while something is waited for. With `relief`, only
        what a stable without a ready pod needs (R13)."""
        ...

    def fail_over(self, s: Situation, to: str) -> list[Action]:
        """Leads callers to `to` as well as, or instead of, stable; nothing when they are led there
        already. Who is stable stays as it is."""
        ...

    def fail_back(self, s: Situation, result: PhaseResult) -> list[Action]:
        """Takes back from a standby what `result` does not give it."""
        ...

    def withdraw(self, s: Situation, actions: list[Action], candidate: str | None = None) -> bool:
        """Puts all traffic on stable; True when it is in effect, so that other pods may go (R8).

        `candidate` is told in the same write, but alone it is no reason for one.
        """
        ...

    def may_return(self, s: Situation) -> bool:
        """Whether all traffic on stable would leave callers no worse (R0)."""
        ...

    def back(self, s: Situation) -> list[Action]:
        """The candidate has failed: traffic to stable and the latch, in one write (R8, R9)."""
        ...

    def ready_to_promote(self, s: Situation) -> bool:
        """Whether nothing but the promotion itself is left."""
        ...

    def promote(
        self, s: Situation, revision: str, color: str, previous: str | None, since: str
    ) -> list[Action]:
        """`revision` becomes stable: weights and selectors change, never pods (R14)."""
        ...

    def undo(self, s: Situation) -> list[Action]:
        """The warm version before is stable again, and the latch is told (R15)."""
        ...

    def upkeep(self, s: Situation, result: PhaseResult) -> list[Action]:
        """What it needs besides, whatever the row of the table did."""
        ...

    def recheck(self, s: Situation) -> float | None:
        """Seconds until it has to be looked at again without any change of facts."""
        ...
