"""Whether the wanted revision has failed, and what keeps its pods from starting (R7).

`core.health.failure_causes` judges pods by themselves. Here the revision's part is added: a
version that was promoted once has been fetched and had room, so that later pods lack either is not
its fault.
"""

from __future__ import annotations

from canarium.api.reasons import FailureReason
from canarium.api.server import FETCH_CONTAINER
from canarium.core.context.context import RolloutContext
from canarium.core.context.deadlines import ends_downtime, last_ready, ready_by
from canarium.core.context.gates import holding
from canarium.core.context.missing_checks import missing_checks
from canarium.core.context.position import current_step
from canarium.core.context.progress import next_step
from canarium.core.facts.object_ref import ObjectRef
from canarium.core.facts.pods import newest_pod
from canarium.core.health.cause import Cause
from canarium.core.health.failure_causes import Deadline, judge
from canarium.core.health.obstacles import obstacle, withheld
from canarium.core.health.pods import fetching, unfetched, unstarted
from canarium.core.times import duration_text

_QUOTED = 512


def judge_candidate(
    ctx: RolloutContext, *, was_fully_ready: bool
) -> tuple[Cause | None, float | None]:
    """Returns why the target fails or, if it does not, the seconds until a grace period ends.

    `was_fully_ready`: all its pods were ready before.
    """
    pods = ctx.observed.pods_of(ctx.target)
    if ctx.target == ctx.stable:
        pods = tuple(pod for pod in pods if unfetched([pod]) is None)
    if at_full_capacity(ctx):
        pods = tuple(pod for pod in pods if unstarted([pod]) is None)
    record = ctx.observed.record(ctx.target)
    verdict = judge(
        pods,
        now=ctx.now,
        unschedulable_deadline=ctx.settings.unschedulable_deadline,
        was_fully_ready=was_fully_ready,
        artifact=record.artifact if record and ctx.target != ctx.stable else None,
        deadline=_deadline(ctx),
    )
    return verdict.cause, verdict.recheck


def _deadline(ctx: RolloutContext) -> Deadline | None:
    """Returns the progress deadline if one applies.

    It does not apply to stable, nor while the cluster withholds something, which is not the
    version's fault (`core.context.deadlines`).
    """
    excused = withheld(ctx, ctx.target) and not ends_downtime(ctx)
    at = None if ctx.target == ctx.stable or excused else ready_by(ctx)
    return Deadline(at, lambda: _deadline_exceeded(ctx)) if at is not None else None


def at_full_capacity(ctx: RolloutContext) -> bool:
    """Returns whether the target has reached the capacity that its weight needs.

    As stable it has while any of its pods serves; as a candidate, while its weight does not rise,
    as at a gate.
    """
    if ctx.target == ctx.stable:
        return ctx.observed.ready(ctx.target) > 0
    step = next_step(ctx)
    is_held = bool(holding(ctx, step)) or missing_checks(ctx) is not None
    if ctx.progress.weight and current_step(ctx) is None and is_held:
        return True
    return step is not None and 0 < step.weight <= ctx.progress.weight


def blocked_pod(ctx: RolloutContext) -> Cause | None:
    """Returns why missing pods of the target do not start, where the version is not at fault: its
    pods started before (R25), or the cluster may still provide what it withholds (R7)."""
    blocking = withheld(ctx, ctx.target)
    if blocking:
        return Cause(blocking.reason, blocking.message, blocking.pod, blocking.container)
    return unstarted(ctx.observed.pods_of(ctx.target)) if at_full_capacity(ctx) else None


def _deadline_exceeded(ctx: RolloutContext) -> Cause:
    deployment = ctx.observed.deployment(ctx.target)
    limit = duration_text(ctx.settings.progress_deadline)
    ready, pods = ctx.observed.ready(ctx.target), ctx.observed.pods_of(ctx.target)
    wanted = deployment.replicas if deployment else 0
    observed = f"{ready} of {wanted} pods ready" if wanted else "0 pods"
    last = last_ready(ctx)
    gone = newest_pod(
        p for p in ctx.observed.finished_pods if p.revision == ctx.target and last is None
    )
    why = deployment.failure if deployment else None
    if gone and not why:
        why = f"pod/{gone.name}: {gone.ended}"
    named = obstacle(ctx, ctx.target)
    rejected = (
        ctx.observed.rejected(ObjectRef("Deployment", deployment.name)) if deployment else None
    )
    if named and not why:
        why = named.message
    if rejected and not why:
        why = rejected.quoted(_QUOTED)
    more = f": {why}" if why else ""
    late = next((p.name for p in pods if not p.ready), None)
    slow = fetching(pods)
    if slow:
        return Cause(
            FailureReason.PROGRESS_DEADLINE_EXCEEDED,
            f"the model was still being fetched after {limit} ({observed}), see the fetcher's log "
            "or raise spec.rollout.progressDeadline",
            pod=slow,
            container=FETCH_CONTAINER,
            observed=observed,
            threshold=limit,
            samples=len(pods),
        )
    if last is None:
        what = f"its pods were not ready within {limit}"
    else:
        what, late = f"its pods took longer than {limit} to become ready", last.name
    return Cause(
        FailureReason.PROGRESS_DEADLINE_EXCEEDED,
        f"{what} ({observed}){more}",
        pod=late,
        observed=observed,
        threshold=limit,
        samples=len(pods),
    )
