"""The rollout under way: the settings that it began with, and what its candidate was granted."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from canarium.api.effective_spec import Step
from canarium.core.context.clocks import Clocks
from canarium.core.facts.grant import pause_of
from canarium.core.facts.observed import Service


@dataclass(frozen=True, kw_only=True)
class Rollout(Clocks):
    """What holds for the whole rollout of the target."""

    @cached_property
    def strategy(self) -> str:
        """Strategy in effect: once a rollout has begun, a change waits until it is over (R12).

        The rollout of another revision, which this spec ended (R10), does not count.
        """
        began = self._began_with
        return began[0] if began and self._has_begun else self.settings.strategy

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """Steps in effect: those of the spec, unless it asks for another strategy by now."""
        if self.strategy == self.settings.strategy:
            return self.settings.steps
        return self._began_with[1] if self._began_with else ()

    @cached_property
    def _began_with(self) -> tuple[str, tuple[Step, ...]] | None:
        """Strategy and steps of the rollout under way, by the status or else by the record."""
        progress, of = self.status.progress, self.status.candidate or self.status.failure
        if progress and progress.strategy and of and of.revision == self.target:
            steps = (Step(x.weight, pause_of(x.pause)) for x in progress.steps)
            return progress.strategy, tuple(steps)
        if self.grant and self.grant.strategy:
            return self.grant.strategy, self.grant.steps
        return None

    @property
    def _has_begun(self) -> bool:
        """Whether anything was done for the target: it was created, or room was made for it."""
        stable = self.observed.deployment(self.stable)
        made = self.observed.deployment(self.target) or self.observed.pods_of(self.target)
        return bool(made) or stable is None or stable.replicas == 0

    @cached_property
    def candidate_has_traffic(self) -> bool:
        """Whether the target was exposed to callers as a candidate, by the traffic record."""
        return self.traffic.is_exposed(self.target)

    @cached_property
    def entitled_weight(self) -> int:
        """Percent that the candidate was granted or has reached.

        Above that it has traffic only because stable has no ready pod. It does not depend on what
        the router does now, as `progress` may.
        """
        stored, candidate = self.status.progress, self.status.candidate
        mine = candidate and candidate.revision == self.target and not self.progress_is_bogus
        return max(self.grant.weight if self.grant else 0, stored.weight if stored and mine else 0)

    @cached_property
    def progress_is_bogus(self) -> bool:
        """Whether the status claims traffic that the traffic record never gave the target."""
        stored, found = self.status.progress, self.traffic.record_object
        candidate = self.status.candidate
        if not stored or not stored.weight or found is None:
            return False
        if candidate is None or candidate.revision != self.target:
            return False  # Of another revision: it means nothing for this one.
        if self.traffic.kind and isinstance(found, Service):
            return False  # Somebody deleted the route: the Service has no weights.
        if self.target in (found.traffic.quarantined, found.traffic.stable):
            return False  # Rolled back or promoted since: the status is about to say so.
        both = isinstance(found, Service) and found.color == ""
        named = found.traffic.candidate
        return (named is None and not both) or named not in (None, self.target)
