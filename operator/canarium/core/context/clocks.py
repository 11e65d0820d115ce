"""Clocks of a rollout: outages of stable, pauses, and the bake."""

from __future__ import annotations

from dataclasses import dataclass

from canarium.api.reasons import HoldReason
from canarium.api.states import PauseSource
from canarium.api.status import Pause
from canarium.core.context.colors import Colors
from canarium.core.context.once import cached_property
from canarium.core.times import parse, stamp

#: Seconds without a ready pod of stable after which a candidate is created and scaled up fully.
STABLE_DOWN_GRACE = 10.0


@dataclass(frozen=True, kw_only=True)
class Clocks(Colors):
    """Times that decisions depend on. A pause stops only the clocks of steps and bake (R16)."""

    # --- stable -----------------------------------------------------------------------------

    @cached_property
    def stable_replicas(self) -> int:
        """Number of pods that stable should have now (R5)."""
        if not self.settings.autoscaled:
            return self.settings.replicas or 0
        deployment = self.observed.deployment(self.stable)
        # A Deployment that lost its labels is not observed: count its pods instead.
        live = deployment.replicas if deployment else len(self.observed.pods_of(self.stable))
        low = self.settings.min_replicas or (0 if self._scales_up_by_itself else 1)
        return max(low, min(live, self.settings.max_replicas))

    @property
    def _scales_up_by_itself(self) -> bool:
        """Whether stable's autoscaler would scale it up from zero.

        Since Kubernetes 1.36, an autoscaler does so only if it scaled the Deployment to zero
        itself. One that is new, or that another client's zero disabled, never does.
        """
        autoscaler = self.observed.autoscaler(self.stable)
        return autoscaler is not None and not autoscaler.disabled

    @cached_property
    def stable_unavailable_since(self) -> float | None:
        """Since when stable has had no ready pods; None while it has one, or needs none."""
        if self.stable is None or self.stable_replicas == 0 or self.observed.ready(self.stable):
            return None
        if self.status.stable_unavailable_start_time:
            return min(self.now, parse(self.status.stable_unavailable_start_time))
        return self.now

    @cached_property
    def stable_grace_is_over(self) -> bool:
        """Whether stable has had no ready pods for `STABLE_DOWN_GRACE`, so that a candidate that
        fixes it may be created (R13)."""
        since = self.stable_unavailable_since
        return since is not None and self.now - since >= STABLE_DOWN_GRACE

    @cached_property
    def stable_grace_left(self) -> float | None:
        """Seconds until a candidate is created or scaled up fully because stable has no ready pods
        (R13); None when that does not apply."""
        since = self.stable_unavailable_since
        if since is None or self.stable_grace_is_over or self.target == self.stable:
            return None
        return since + STABLE_DOWN_GRACE - self.now

    def waiting_since(self, reason: str) -> float:
        """Returns when the wait for `reason` began (POSIX seconds): now, unless the status already
        reports it."""
        hold = self.status.waiting_for
        return parse(hold.start_time) if hold and hold.reason == reason else self.now

    # --- pauses and bake --------------------------------------------------------------------

    @cached_property
    def pause(self) -> Pause | None:
        """The pause of the clocks of steps and bake (R16), by spec.paused or a command."""
        old = self.status.pause
        since = old.start_time if old else stamp(self.now)
        if self.settings.paused:
            return Pause(start_time=since, source=PauseSource.SPEC, revision=self.target)
        command = self.active_command("pause")
        if command:
            return self._pause_by_command(since, command.token)
        if self.active_command("resume"):
            return None
        if old and old.source is PauseSource.COMMAND and old.revision == self.target:
            return old
        record = self.observed.record(self.target)
        if self.status_is_stale and record and "paused" in record.commands:
            return self._pause_by_command(since)
        return None

    def _pause_by_command(self, since: str, token: str | None = None) -> Pause:
        return Pause(
            start_time=since, source=PauseSource.COMMAND, token=token, revision=self.target
        )

    @cached_property
    def pause_text(self) -> str:
        """What pauses steps and bake, for messages; empty while nothing does."""
        if self.pause is None:
            return ""
        if self.pause.source is PauseSource.SPEC:
            return "spec.paused"
        return f"command pause, token {self.pause.token}" if self.pause.token else "command pause"

    @cached_property
    def paused_for(self) -> float:
        """Seconds of a pause that ends in this decision, added to the clocks of steps and bake."""
        if self.pause or not self.status.pause:
            return 0.0
        return max(0.0, self.now - parse(self.status.pause.start_time))

    @cached_property
    def time_at_zero(self) -> float:
        """Seconds of scale to zero that end in this decision, added to the clock of the bake.

        A pause that begins meanwhile ends them, too: it counts by itself.
        """
        held = self.status.waiting_for
        if held is None or held.awaited is not HoldReason.SCALED_TO_ZERO:
            return 0.0
        awake = self.stable_replicas > 0 or self.pause
        return max(0.0, self.now - parse(held.start_time)) if awake else 0.0

    @cached_property
    def bake_start(self) -> float:
        """When the bake started (POSIX seconds), shifted by the time of pauses and of scale to
        zero."""
        if not self.status_is_stale and self.status.bake_start_time:
            return parse(self.status.bake_start_time) + self.paused_for + self.time_at_zero
        promoted = self.traffic.record.promoted
        return min(promoted, self.now) if promoted is not None else self.now
