"""Colours of revisions, and which one is free for another (R14).

The callers' Service selects a colour, not a revision, so two revisions with pods never share one.
"""

from __future__ import annotations

from dataclasses import dataclass

from canarium.core.context.once import cached_property
from canarium.core.context.revisions import Revisions
from canarium.core.facts.observed import COLORS, Deployment
from canarium.core.facts.pods import Pod

#: Seconds after the end of its grace period from which a terminating pod is ignored.
STUCK_AFTER = 10.0


@dataclass(frozen=True, kw_only=True)
class Colors(Revisions):
    """Colours of pods and Deployments."""

    @cached_property
    def stable_color(self) -> str | None:
        """Stable's colour; the colour that the Service selects if its Deployment was deleted."""
        deployment = self.observed.deployment(self.stable)
        if deployment:
            return deployment.color
        service = self.observed.service
        if service is None or self.stable is None or service.traffic.stable != self.stable:
            return None
        return service.color if service.color in COLORS else None

    def free_color(self, revision: str | None) -> str | None:
        """Returns a colour for a new Deployment of `revision`; None while none is free.

        It is the colour of pods that it still has, or, for stable, the one that the Service
        selects; else any that no other revision uses.
        """
        running = self.observed.running_pods
        others = [x for x in running if x.revision != revision and not self.is_stuck(x)]
        live = [d for d in self.observed.deployments if d not in self._stuck_deployments]
        used_colors = {x.color for x in others} | {d.color for d in live if d.revision != revision}
        present = {pod.color for pod in self.observed.pods_of(revision)}
        if revision == self.stable:
            # A selector that was edited by hand may select the colour of another revision.
            if self.stable_color and self.stable_color not in used_colors and not present:
                present.add(self.stable_color)
        elif self.stable_color:
            used_colors.add(self.stable_color)
        choices = [color for color in COLORS if color in present] or COLORS
        return next((color for color in choices if color not in used_colors), None)

    def is_stuck(self, pod: Pod) -> bool:
        """Returns whether a pod is long past its grace period and receives no traffic.

        Its node is lost, or a finalizer blocks its deletion. It will not serve again, so nothing
        waits for it.
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
        """Terminating Deployments whose remaining pods are all stuck."""
        return tuple(
            d
            for d in self.observed.deployments
            if d.terminating
            and self.observed.pods_of(d.revision)
            and all(self.is_stuck(pod) for pod in self.observed.pods_of(d.revision))
        )
