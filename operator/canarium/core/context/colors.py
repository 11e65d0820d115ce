"""Which colour each revision's pods have, and which one is free for another (R14).

The callers' Service selects a colour, not a revision, so two revisions with pods never share one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from canarium.core.context.revisions import Revisions
from canarium.core.facts.observed import COLORS, Deployment, Pod

#: Seconds past its time after which a terminating pod counts for nothing.
STUCK_AFTER = 10.0


@dataclass(frozen=True, kw_only=True)
class Colors(Revisions):
    """Colours of pods and Deployments."""

    @cached_property
    def stable_color(self) -> str | None:
        """Stable's colour; what the Service selects for it when its Deployment is gone."""
        deployment = self.observed.deployment(self.stable)
        if deployment:
            return deployment.color
        service = self.observed.service
        if service is None or self.stable is None or service.traffic.stable != self.stable:
            return None
        return service.color if service.color in COLORS else None

    def free_color(self, revision: str | None) -> str | None:
        """Colour for a new Deployment of `revision`, or None while other revisions have pods of it.

        It is the one that its pods still have, or that the Service selects for it as stable; else a
        free one.
        """
        others = [x for x in self.observed.pods if x.revision != revision and not self.is_stuck(x)]
        live = [d for d in self.observed.deployments if d not in self._stuck_deployments]
        taken = {x.color for x in others} | {d.color for d in live if d.revision != revision}
        own = {pod.color for pod in self.observed.pods_of(revision)}
        if revision == self.stable:
            # A selector that was edited by hand may name the colour of somebody else.
            if self.stable_color and self.stable_color not in taken and not own:
                own.add(self.stable_color)
        elif self.stable_color:
            taken.add(self.stable_color)
        wanted = [color for color in COLORS if color in own] or COLORS
        return next((color for color in wanted if color not in taken), None)

    def is_stuck(self, pod: Pod) -> bool:
        """Whether a terminating pod is well past its time and serves nobody.

        Its node is lost, or a finalizer keeps it. It will not serve again, so nothing waits for it.
        """
        late = (
            pod.terminating
            and pod.terminates_by is not None
            and self.now - pod.terminates_by >= STUCK_AFTER
        )
        service = self.observed.service
        return late and not pod.ready and not (service and pod.name in service.endpoints)

    @cached_property
    def _stuck_deployments(self) -> tuple[Deployment, ...]:
        """Deleted Deployments that wait for nothing but stuck pods."""
        return tuple(
            d
            for d in self.observed.deployments
            if d.terminating
            and self.observed.pods_of(d.revision)
            and all(self.is_stuck(pod) for pod in self.observed.pods_of(d.revision))
        )
