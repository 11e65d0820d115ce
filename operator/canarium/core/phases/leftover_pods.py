"""Detects pods stuck in termination, or without a Deployment, so that a wait can name one.

A candidate needs a colour that no other pod has, and strategy Recreate needs the room of stable's
pods. Pods that should have ended by now, as on a lost node, are named in the message; those whose
Deployment lost its labels get it back (R23).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from canarium import GROUP
from canarium.api.reasons import HoldReason
from canarium.core.context.context import RolloutContext
from canarium.core.decision.phase_result import PhaseResult
from canarium.core.decision.plan import Action, RestoreLabels
from canarium.core.facts.object_ref import ObjectRef
from canarium.core.facts.observed import COLORS
from canarium.core.facts.pods import Pod
from canarium.core.outcomes.blocked_deletions import finalizers
from canarium.core.times import parse, time_text

#: Seconds within which the pods of a deleted Deployment are deleted.
OVERDUE_AFTER = 10.0
#: Waits for pods that something has to delete, which a Deployment without labels never does.
POD_DELETION_WAITS = (HoldReason.TERMINATING_OLD_REVISIONS, HoldReason.SCALING_DOWN_STABLE)


@dataclass(frozen=True, slots=True)
class Leftover:
    """The first overdue pod and its description; else the seconds until one may be overdue."""

    pod: str | None = None
    text: str = ""
    recheck: float | None = None


def find_leftover(ctx: RolloutContext, pods: Iterable[Pod]) -> Leftover:
    """Returns the first of `pods` that should have ended by now."""
    hold, waits = ctx.status.waiting_for, list[float]()
    for pod in sorted(pods, key=lambda pod: pod.name):
        if pod.terminating and pod.terminates_by is not None:
            due, text = (
                pod.terminates_by,
                f"should have terminated by {time_text(pod.terminates_by)}",
            )
            blocking = ctx.observed.blocking_finalizers(ObjectRef("Pod", pod.name))
            text += f" and is blocked by {finalizers(blocking)}" if blocking else ""
        elif not pod.controlled:
            due = parse(hold.start_time) if hold and hold.awaited in POD_DELETION_WAITS else ctx.now
            text = f"was released by its ReplicaSet and has the label {GROUP}/color={pod.color}: "
            text += "delete the pod or remove the label"
        elif not pod.terminating and ctx.observed.deployment(pod.revision) is None:
            due = parse(hold.start_time) if hold and hold.awaited in POD_DELETION_WAITS else ctx.now
            text = "belongs to no Deployment of this model"
        else:
            continue
        left = due + OVERDUE_AFTER - ctx.now
        if left <= 0:
            return Leftover(pod.name, f" (pod/{pod.name} {text})")
        waits.append(left)
    return Leftover(recheck=min(waits, default=None))


def leftover_of_others(ctx: RolloutContext) -> Leftover:
    """Returns the same for pods of obsolete revisions, which may occupy a colour."""
    others = (p for p in ctx.observed.running_pods if p.revision not in (ctx.stable, ctx.target))
    return find_leftover(ctx, (p for p in others if p.controlled or p.color in COLORS))


def restore_labels(ctx: RolloutContext, result: PhaseResult) -> list[Action]:
    """Returns the writes that restore labels of Deployments, which are found by their pods."""
    wait = result.waiting_for
    if wait is None or wait.awaited not in POD_DELETION_WAITS:
        return []
    if ctx.now - ctx.waiting_since(wait.reason) < OVERDUE_AFTER:
        return []
    expected = {ctx.target, *(d.revision for d in ctx.observed.deployments)}
    left = {p.revision for p in ctx.observed.pods if not p.terminating} - expected
    return [RestoreLabels(revision) for revision in sorted(left)]
