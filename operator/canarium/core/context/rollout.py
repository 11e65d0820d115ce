"""The current rollout: the settings with which it started, and what its candidate was granted."""

from __future__ import annotations

from dataclasses import dataclass

from canarium.api.effective_spec import Step
from canarium.core.context.clocks import Clocks
from canarium.core.context.once import cached_property
from canarium.core.facts.grant import pause_of
from canarium.core.facts.object_ref import ObjectRef
from canarium.core.facts.observed import Rejection, Service
from canarium.core.facts.rollout_settings import RolloutSettings, settings_from_text


@dataclass(frozen=True, kw_only=True)
class RolloutFacts(Clocks):
    """What applies to the whole rollout of the target."""

    @cached_property
    def strategy(self) -> str:
        """Strategy in effect: once a rollout has started, a change waits until it is over (R12).

        The rollout of another revision, which this spec ended (R10), does not count.
        """
        initial = self._initial_settings
        return initial.strategy if initial and self._has_started else self.settings.strategy

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """Steps in effect: those of the spec, unless its strategy has changed since the start."""
        if self.strategy == self.settings.strategy:
            return self.settings.steps
        return self._initial_settings.steps if self._initial_settings else ()

    @cached_property
    def _initial_settings(self) -> RolloutSettings | None:
        """Settings with which the rollout started, by the status, else by the traffic record, else
        by the record of the target."""
        progress, subject = self.status.progress, self.status.candidate or self.status.failure
        if progress and progress.strategy and subject and subject.revision == self.target:
            steps = (Step(x.weight, pause_of(x.pause)) for x in progress.steps)
            return RolloutSettings(progress.strategy, tuple(steps))
        if self.grant and self.grant.strategy:
            return RolloutSettings(self.grant.strategy, self.grant.steps)
        record = self.observed.record(self.target)
        # Those of an earlier rollout stay on the record until the next one starts: they count for
        # the candidate of the status, or after the status was lost.
        current = subject.revision == self.target if subject else self.status.stable is None
        if record is None or not current or not self.is_created:
            return None
        return settings_from_text(record.rollout_settings)

    def record_rejection(self, revision: str | None) -> Rejection | None:
        """Returns the rejected write of the record of `revision`."""
        return self.observed.rejected(ObjectRef("ControllerRevision", f"{self.name}-{revision}"))

    @property
    def is_created(self) -> bool:
        """Whether the target has a Deployment or pods."""
        deployment = self.observed.deployment(self.target)
        return deployment is not None or bool(self.observed.pods_of(self.target))

    @property
    def _has_started(self) -> bool:
        """Whether the target was created, or stable was deleted or scaled to zero to replace it."""
        stable = self.observed.deployment(self.stable)
        return self.is_created or stable is None or stable.replicas == 0

    @cached_property
    def candidate_has_traffic(self) -> bool:
        """Whether the target was exposed to callers as a candidate, by the traffic record."""
        return self.traffic.is_exposed(self.target)

    @cached_property
    def entitled_weight(self) -> int:
        """Percent that the candidate was granted or has reached.

        It has more traffic only while stable has no ready pods. Unlike `progress`, this does not
        depend on the router.
        """
        stored, candidate = self.status.progress, self.status.candidate
        valid = candidate and candidate.revision == self.target and not self.progress_is_invalid
        return max(self.grant.weight if self.grant else 0, stored.weight if stored and valid else 0)

    @cached_property
    def progress_is_invalid(self) -> bool:
        """Whether the status claims a weight that the target never had by the traffic record."""
        stored, holder = self.status.progress, self.traffic.record_object
        candidate = self.status.candidate
        if not stored or not stored.weight or holder is None:
            return False
        if candidate is None or candidate.revision != self.target:
            return False  # The progress of another revision does not apply to this one.
        if isinstance(holder, Service) and (self.traffic.kind or self.status.route):
            # The route was deleted, and a Service had no weights, whichever router is next.
            return False
        if self.target in (holder.traffic.quarantined, holder.traffic.stable):
            return False  # Rolled back or promoted since; the status is about to report it.
        both = isinstance(holder, Service) and holder.color == ""
        named = holder.traffic.candidate
        return (named is None and not both) or named not in (None, self.target)
