"""Phase Ready: the version in spec serves; whatever else still runs is deleted (R11)."""

from __future__ import annotations

from dataclasses import replace

from canarium.api.reasons import HoldReason
from canarium.api.status import Failure
from canarium.core.context.context import Situation
from canarium.core.context.naming import describe
from canarium.core.decision.phase_result import PhaseResult, Wait
from canarium.core.decision.plan import Action
from canarium.core.health.availability import is_down, serving_state
from canarium.core.messages import location, retry_advice
from canarium.core.outcomes.failures import known_failure
from canarium.core.phases.deployments import delete_revisions, store_revision
from canarium.core.phases.starting import is_first_unserved, unserved_first


def ready(s: Situation) -> PhaseResult:
    """Keeps stable as the spec wants it and deletes obsolete revisions."""
    base = PhaseResult(actions=store_revision(s), stable=s.stable)
    if s.observed.deployment(s.stable) is None:
        text = f"Recreating the Deployment of {describe(s, s.stable)}, which was deleted"
        return base.wait(HoldReason.RECREATING_DEPLOYMENT, text)
    moves: list[Action] = []
    if s.router.withdraw(s, moves):
        moves += delete_revisions(s, s.strays)
    base = base.also(*moves)
    ready_pods = s.observed.ready(s.stable)
    if ready_pods >= s.count and is_first_unserved(s):
        return unserved_first(s, base.actions)
    if ready_pods < s.count:
        wait = Wait(
            HoldReason.WAITING_FOR_PODS,
            observed=f"{ready_pods} ready",
            threshold=f"{s.count} ready",
        )
        base = replace(base, waiting_for=wait)
    missing, does = serving_state(s)
    failure = known_failure(s) if s.quarantined else None
    if failure:
        return _failed_stable(s, base, failure, does)
    base = replace(base, reason=missing.reason if missing else "")
    # An outage is described for every phase alike (`core.health.availability`).
    return base if is_down(s, s.stable) else base.say(f"{describe(s, s.stable)} {does}")


def _failed_stable(s: Situation, base: PhaseResult, failure: Failure, does: str) -> PhaseResult:
    """A version that failed took the place of a stable that did not recover (R13); the latch
    holds (R9)."""
    where = location(failure.pod, failure.container)
    failed = (
        f"it failed at {failure.at} ({failure.reason}: {failure.message}{where}), but there is no "
        "other version to roll back to"
    )
    return replace(
        base.fail(failure, f"{describe(s, s.stable)} {does}", failed, retry_advice(s.target)),
        phase="Failed",
    )
