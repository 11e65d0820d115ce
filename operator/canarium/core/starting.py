"""The first version (R3): nothing is selected until every wanted pod is ready."""

from __future__ import annotations

from canarium.api.status import (
    Progress,
)
from canarium.core.draft import (
    Draft,
)
from canarium.core.moves import (
    failure_of,
    gating,
    judged,
    outcome_of,
    removed,
    said,
    stored,
    waiting,
)
from canarium.core.plan import (
    Action,
    Annotate,
    CreateDeployment,
    Event,
    Route,
    Scale,
)
from canarium.core.situation import (
    QUARANTINED,
    Situation,
    stamp,
)


def first_version(s: Situation) -> Draft:
    """No stable yet (R3): nothing is selected until every wanted pod is ready."""
    deployment = s.observed.deployment(s.target)
    count = max(1, s.settings.base)
    actions: list[Action] = stored(s)
    service = s.observed.service
    if service and service.color is not None:
        actions.append(Route(None, None, s.target))
    actions += removed(s, s.strays)
    if s.quarantined:
        failure = s.status.failure
        text = failure.message if failure else "it failed"
        return Draft(
            f"the first version failed and there is none to go back to: {text}",
            tuple(actions),
            candidate=s.target,
            failure=failure,
            reason="Failed",
        )
    if deployment is None:
        if s.free_color is None:
            return Draft(
                "waiting for pods of an older version to go", tuple(actions), candidate=s.target
            )
        actions.append(CreateDeployment(s.target, s.free_color, count))
        return Draft(
            gating(count),
            tuple(actions),
            candidate=s.target,
            progress=Progress(waiting_since=stamp(s.now)),
            requeue_after=s.settings.progress_deadline,
        )
    failed, recheck = judged(s, was_good=False)
    ready = s.observed.ready(s.target)
    if failed:
        failure = failure_of(s, failed)
        actions.append(Annotate(s.target, (("verdict", QUARANTINED), ("reason", failed.reason))))
        return Draft(
            f"the first version failed: {failed.message}",
            tuple(actions),
            candidate=s.target,
            failure=failure,
            reason=failed.reason,
            phase="Failed",
            outcome=outcome_of(s, s.target, "Failed", failed.reason),
            events=(Event("Warning", failed.reason, said(s.target, failed)),),
        )
    if ready >= count and deployment.replicas >= count:
        # This write makes it stable; the status says so once callers are answered (see `steady`).
        actions.append(Route(deployment.color, s.target, None))
    elif deployment.replicas < count and not s.observed.autoscaler(s.target):
        actions.append(Scale(s.target, count))
    return Draft(
        gating(count),
        tuple(actions),
        candidate=s.target,
        progress=waiting(s),
        requeue_after=recheck,
    )
