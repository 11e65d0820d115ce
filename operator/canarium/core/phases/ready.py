"""Phase Ready: the version in spec serves, and other revisions that still run are deleted (R11)."""

from __future__ import annotations

from canarium.api.reasons import HoldReason
from canarium.api.states import Phase
from canarium.api.status import Failure
from canarium.core.context.context import RolloutContext
from canarium.core.context.naming import describe
from canarium.core.decision.phase_result import PhaseResult, Wait
from canarium.core.decision.plan import Action
from canarium.core.health.availability import is_down, serving_state
from canarium.core.messages import explain, retry_advice
from canarium.core.outcomes.failures import known_failure
from canarium.core.phases.deployments import delete_revisions, store_revision
from canarium.core.phases.releasing import releasing
from canarium.core.phases.starting import is_first_unserved, unserved_first


def ready(ctx: RolloutContext) -> PhaseResult:
    """Keeps stable as the spec wants it and deletes obsolete revisions."""
    base = PhaseResult(actions=store_revision(ctx), stable=ctx.stable)
    if ctx.observed.deployment(ctx.stable) is None:
        text = f"Recreating the Deployment of {describe(ctx, ctx.stable)}, which was deleted"
        return base.wait(HoldReason.RECREATING_DEPLOYMENT, text)
    moves: list[Action] = []
    moves += ctx.router.route_all_to_stable(ctx)
    if ctx.router.stable_has_all(ctx):
        moves += delete_revisions(ctx, ctx.obsolete_revisions)
    base = base.also(*moves)
    ready_pods = ctx.observed.ready(ctx.stable)
    if ready_pods >= ctx.stable_replicas and is_first_unserved(ctx):
        return unserved_first(ctx, base.actions)
    if ready_pods < ctx.stable_replicas:
        wait = Wait(
            HoldReason.WAITING_FOR_PODS,
            observed=f"{ready_pods} ready",
            threshold=f"{ctx.stable_replicas} ready",
        )
        base = base.with_wait(wait)
    missing, does = serving_state(ctx)
    place = missing.place if missing else None
    failure = known_failure(ctx) if ctx.quarantined else None
    if failure:
        return _failed_stable(ctx, base.explaining(ctx.stable, place), failure, does)
    base = base.with_reason(missing.reason if missing else "")
    # An outage is described for every phase alike (`core.health.availability`).
    if is_down(ctx, ctx.stable):
        return base
    base, has = base.explaining(ctx.stable, place), f"{describe(ctx, ctx.stable)} {does}"
    return releasing(ctx, base, has, ctx.takeover) if ctx.takeover else base.with_message(has)


def _failed_stable(
    ctx: RolloutContext, base: PhaseResult, failure: Failure, does: str
) -> PhaseResult:
    """Reports a failed version that became stable because the old one did not recover (R13).

    It stays quarantined (R9).
    """
    return base.in_phase(Phase.FAILED).fail(
        failure,
        f"{describe(ctx, ctx.stable)} {does}",
        f"It failed at {failure.time}: {explain(failure)}",
        "There is no other version to roll back to",
        retry_advice(ctx.target, follows=ctx.follows),
    )
