"""What is damaged and therefore ignored, in words: each becomes one Event."""

from __future__ import annotations

from canarium.core.context.context import Situation
from canarium.core.facts.observed import Pod
from canarium.core.outcomes import blocked_deletions
from canarium.core.times import spoken


def warnings(s: Situation) -> tuple[str, ...]:
    """What is damaged and therefore ignored; each is told once by an Event."""
    found = list(s.disbelieved)
    for record in s.observed.records:
        if not record.intact:
            found.append(
                f"ControllerRevision {s.name}-{record.revision} was altered by hand and is "
                "ignored: no Deployment is made from it"
            )
    for deployment in s.observed.deployments:
        revision = deployment.revision
        if s.observed.record(revision) is None and revision != s.target:
            found.append(
                f"ControllerRevision {s.name}-{revision} is gone: its Deployment is left as it is, "
                "and cannot be made again if it is deleted"
            )
    for pod in s.observed.pods:
        if s.is_stuck(pod):
            due = spoken(pod.ends or s.now)
            found.append(
                f"Pod {pod.name} should have ended at {due} and is not waited for any longer: "
                f"{_stuck_by(s, pod)}"
            )
    if s.implausible:
        found.append("ignored status.progress: live traffic never had that weight")
    return tuple(sorted([*found, *_disbelieved(s)]))


def _stuck_by(s: Situation, pod: Pod) -> str:
    kept = s.observed.holding("Pod", pod.name)
    return f"it is kept by {blocked_deletions.finalizers(kept)}" if kept else "check its node"


def _disbelieved(s: Situation) -> list[str]:
    """What a status says of who serves that cannot be, as after an edit by hand."""
    parts = {
        name: part.revision
        for name in ("stable", "candidate", "previous")
        if (part := getattr(s.status, name))
    }
    found = [
        f"ignored status.{name}: revision {revision} does not exist"
        for name, revision in parts.items()
        if revision != s.target and not s.exists(revision)
    ]
    # After a promotion or an undo that the status does not tell of yet, it is one of the others.
    said = s.witness.traffic.stable if s.witness else None
    told = parts.get("stable")
    if told and s.exists(told) and said and s.exists(said) and said not in parts.values():
        found.append(f"ignored status.stable: live traffic is routed to revision {said}")
    return found
