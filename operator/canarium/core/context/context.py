"""What the facts of one moment mean: who is stable, what is wanted, and what may be touched.

`RolloutContext` is built in layers, each of which uses only those before it:

1. `revisions`: the inputs, and which revision is stable, target, previous (`stable` has the
   theory);
2. `colors`: which colour each revision has, and which one is free;
3. `clocks`: outages of stable, pauses, the bake;
4. `rollout`: the settings that the rollout began with, and what the candidate was granted;
5. here: who answers for stable (`standby`), how far the candidate is (`progress`), and the router.

Everything is computed on first use and kept, since a context never changes: a decision that
advances the candidate replaces it by another one (`advanced_progress`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from canarium.api.status import Progress
from canarium.core.context import standby
from canarium.core.context.restored_progress import restored_progress
from canarium.core.context.rollout import Rollout
from canarium.core.context.router import Router


@dataclass(frozen=True, kw_only=True)
class RolloutContext(Rollout):
    """Facts, settings and the clock, with what follows from them."""

    #: Writes what the decisions want of traffic; chosen by `core.routing.choice`.
    router: Router[RolloutContext]

    @property
    def route_kind(self) -> str | None:
        """Kind of the route in effect; None where the callers' Service alone splits traffic."""
        return self.traffic.kind

    @cached_property
    def standby(self) -> str | None:
        """Revision that answers in place of stable; None while stable answers, or nobody may."""
        return standby.standby(self)

    @cached_property
    def progress(self) -> Progress:
        """The candidate's progress, as this decision has advanced it so far (R18)."""
        return self.advanced_progress or restored_progress(self, self._weight_applied)

    def _weight_applied(self, weight: int) -> bool:
        return self.router.weight_applied(self, weight)
