"""What is damaged and therefore ignored, in words: each becomes one Event."""

from __future__ import annotations

from canarium.core.context.context import RolloutContext
from canarium.core.facts.observed import Pod
from canarium.core.outcomes import blocked_deletions
from canarium.core.times import spoken


def warnings(ctx: RolloutContext) -> tuple[str, ...]:
    """What is damaged and therefore ignored; each is told once by an Event."""
    found = list(ctx.ignored_fields)
    for record in ctx.observed.records:
        if not record.intact:
            found.append(
                f"ControllerRevision {ctx.name}-{record.revision} was altered by hand and is "
                "ignored: no Deployment is made from it"
            )
    for deployment in ctx.observed.deployments:
        revision = deployment.revision
        if ctx.observed.record(revision) is None and revision != ctx.target:
            found.append(
                f"ControllerRevision {ctx.name}-{revision} is gone: its Deployment is left as it "
                "is, "
                "and cannot be made again if it is deleted"
            )
    for pod in ctx.observed.pods:
        if ctx.is_stuck(pod):
            due = spoken(pod.ends or ctx.now)
            found.append(
                f"Pod {pod.name} should have ended at {due} and is not waited for any longer: "
                f"{_stuck_by(ctx, pod)}"
            )
    if ctx.progress_is_bogus:
        found.append("ignored status.progress: live traffic never had that weight")
    return tuple(sorted([*found, *_disbelieved(ctx)]))


def _stuck_by(ctx: RolloutContext, pod: Pod) -> str:
    kept = ctx.observed.holding("Pod", pod.name)
    return f"it is kept by {blocked_deletions.finalizers(kept)}" if kept else "check its node"


def _disbelieved(ctx: RolloutContext) -> list[str]:
    """What a status says of who serves that cannot be, as after an edit by hand."""
    parts = {
        name: part.revision
        for name in ("stable", "candidate", "previous")
        if (part := getattr(ctx.status, name))
    }
    found = [
        f"ignored status.{name}: revision {revision} does not exist"
        for name, revision in parts.items()
        if revision != ctx.target and not ctx.exists(revision)
    ]
    # After a promotion or an undo that the status does not tell of yet, it is one of the others.
    said = ctx.witness.traffic.stable if ctx.witness else None
    told = parts.get("stable")
    if told and ctx.exists(told) and said and ctx.exists(said) and said not in parts.values():
        found.append(f"ignored status.stable: live traffic is routed to revision {said}")
    return found
