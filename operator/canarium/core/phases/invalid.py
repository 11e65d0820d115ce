"""Phase Invalid: nothing of the target runs, and it cannot be created (R21, R24)."""

from __future__ import annotations

from canarium.api.reasons import RejectionReason
from canarium.core.bookkeeping.adoption import conflicts
from canarium.core.context.context import RolloutContext
from canarium.core.context.live_traffic import answering
from canarium.core.context.naming import describe
from canarium.core.decision.phase_result import PhaseResult
from canarium.core.decision.plan import Action, Event
from canarium.core.health.availability import serving_now
from canarium.core.outcomes.rejections import quoted, reason_of
from canarium.core.outcomes.resolution import unresolved
from canarium.core.phases.deployments import delete_revisions
from canarium.core.times import stamp


def is_invalid(ctx: RolloutContext) -> bool:
    """Returns whether nothing of the target exists yet and it cannot be created.

    Once it exists, a rejected write must not end its analysis: the other rows decide, and the
    rejection is only reported. The same applies once it has failed, since nothing of it is created
    then. The callers' Service is created last, so a conflict over its name appears only when the
    first version runs. If the target is stable, damage that cannot be repaired, such as a deleted
    Deployment, is reported in the phase in which it serves.
    """
    rejection = ctx.observed.blocking_rejection
    late = ctx.stable is None and bool(rejection and rejection.conflict)
    if ctx.observed.deployment(ctx.target) is not None and not late:
        return False
    if (
        ctx.observed.name_conflicts
        or ctx.observed.orphans
        or (rejection and not ctx.quarantined and ctx.target != ctx.stable)
    ):
        return True
    return bool(ctx.new_record and (ctx.observed.runtime.reason or ctx.is_unresolved))


def invalid(ctx: RolloutContext) -> PhaseResult:
    """Reports why the spec cannot be carried out; stable keeps serving, alone (R10, R21, R24).

    A candidate of the previous spec is obsolete and would keep running without being judged.
    """
    moves: list[Action] = []
    if ctx.obsolete_revisions:
        moves += ctx.router.route_all_to_stable(ctx)
        if ctx.router.stable_has_all(ctx):
            moves += delete_revisions(ctx, ctx.obsolete_revisions)
    reason, text = _cause(ctx)
    return PhaseResult(
        actions=tuple(moves),
        events=(Event("Warning", reason, text),),
        stable=ctx.stable,
        previous=ctx.previous,
        bake_start_time=stamp(ctx.bake_start) if ctx.previous else None,
        reason=reason,
        rejection=ctx.observed.blocking_rejection,
    ).with_message(text, _still_serving(ctx))


def _still_serving(ctx: RolloutContext) -> str:
    if ctx.stable is None:
        return "no version is serving yet"
    shares = answering(ctx)
    alone = list(shares) == [ctx.stable]
    keeps = "keeps serving" if alone else "stays the promoted version"
    return serving_now(ctx) if shares and not alone else f"{describe(ctx, ctx.stable)} {keeps}"


def _cause(ctx: RolloutContext) -> tuple[str, str]:
    rejection, runtime = ctx.observed.blocking_rejection, ctx.observed.runtime
    if ctx.observed.name_conflicts:
        return RejectionReason.NAME_CONFLICT, conflicts(ctx.observed, ctx.name)
    if ctx.new_record and runtime.reason:
        return runtime.reason, runtime.message
    if ctx.is_unresolved:
        return unresolved(ctx)
    assert rejection is not None
    return reason_of(rejection), quoted(rejection)
