"""Pods, as `kubectl get pods` describes them, with what keeps them from being ready."""

from __future__ import annotations

from itertools import chain

from canarium.view.ages import seconds_since
from canarium.view.objects import Raw, items, number, part, text
from canarium.view.tree import Pod

#: States of a container in which it has no problem to show.
_USUAL = ("ContainerCreating", "PodInitializing", "Completed")


def pod(raw: Raw, now: float) -> Pod:
    """Returns the pod with the first problem of its containers, init containers first."""
    meta, status = part(raw, "metadata"), part(raw, "status")
    reason, message = _problem(status)
    containers = items(status, "containerStatuses")
    state = reason or text(status, "phase") or "Unknown"
    if text(meta, "deletionTimestamp"):
        state = "Terminating"
    return Pod(
        name=text(meta, "name"),
        state=state,
        ready=_condition(status, "Ready") == "True",
        restarts=sum(number(c, "restartCount") for c in containers),
        age_seconds=seconds_since(text(meta, "creationTimestamp"), now),
        node=text(part(raw, "spec"), "nodeName"),
        reason=reason,
        message=message,
    )


def _condition(status: Raw, kind: str) -> str:
    condition = next((c for c in items(status, "conditions") if c.get("type") == kind), None)
    return text(condition, "status")


def _problem(status: Raw) -> tuple[str, str]:
    """Returns reason and message of what keeps the pod from being ready; empty where nothing is
    wrong, or nothing is known yet."""
    everything = chain(items(status, "initContainerStatuses"), items(status, "containerStatuses"))
    for container in everything:
        waiting = part(container, "state", "waiting")
        ended = part(container, "state", "terminated")
        last = part(container, "lastState", "terminated")
        if waiting and text(waiting, "reason") not in _USUAL:
            # The previous exit is more informative than the back-off.
            why = _exit(last) if last else text(waiting, "message")
            return text(waiting, "reason"), why
        if ended and text(ended, "reason") != "Completed":
            return text(ended, "reason") or "Error", _exit(ended)
    for condition in items(status, "conditions"):
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return text(condition, "reason"), text(condition, "message")
    return text(status, "reason"), text(status, "message")


def _exit(ended: Raw) -> str:
    message = text(ended, "message").strip().splitlines()
    last_line = f": {message[-1]}" if message else ""
    return f"{text(ended, 'reason') or 'Error'}, exit code {number(ended, 'exitCode')}{last_line}"
