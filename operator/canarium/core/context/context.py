"""The context of a decision: which revision is stable, which one is wanted, how far the rollout is.

`RolloutContext` is built in layers, each of which uses only those before it:

1. `revisions`: the inputs, and which revision is stable, target, previous (`stable` has the
   theory);
2. `colors`: which colour each revision has, and which one is free;
3. `clocks`: outages of stable, pauses, the bake;
4. `rollout`: the settings with which the rollout started, and what the candidate was granted;
5. here: which revision serves in place of stable (`standby`), how far the candidate is
   (`progress`), and the router.

Everything is computed on first use and cached, since a context never changes: a decision that
advances the candidate replaces it with another one (`RolloutContext.advanced`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from canarium.api.route_kind import RouteKind
from canarium.api.status import Progress
from canarium.core.context import standby
from canarium.core.context.check_templates import TemplateChecks, template_checks
from canarium.core.context.once import cached_property
from canarium.core.context.restored_progress import restored_progress
from canarium.core.context.rollout import RolloutFacts
from canarium.core.context.router import Router


@dataclass(frozen=True, kw_only=True)
class RolloutContext(RolloutFacts):
    """Facts, settings and the time of a decision, with everything derived from them."""

    #: Moves traffic; chosen by `core.routing.choice`.
    router: Router[RolloutContext]

    @property
    def route_kind(self) -> RouteKind | None:
        """Kind of the route in effect; None where the callers' Service alone splits traffic."""
        return self.traffic.kind

    @cached_property
    def standby(self) -> str | None:
        """Revision that serves in place of stable; None while stable serves, or none can."""
        return standby.standby(self)

    @cached_property
    def progress(self) -> Progress:
        """The candidate's progress, as far as this decision has advanced it (R18)."""
        return self.advanced_progress or restored_progress(self, self._weight_applied)

    @cached_property
    def template_checks(self) -> TemplateChecks:
        """The checks of templates that judge the target, and why some are missing."""
        return template_checks(self)

    def advanced(self, progress: Progress) -> RolloutContext:
        """Returns this context with the candidate at `progress`. What does not depend on that is
        not computed again."""
        known = {name: x for name, x in vars(self).items() if name not in vars(RolloutContext)}
        advanced = replace(self, advanced_progress=progress)
        vars(advanced).update(known, advanced_progress=progress)
        return advanced

    def _weight_applied(self, weight: int) -> bool:
        return self.router.weight_applied(self, weight)
