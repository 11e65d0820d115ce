"""Checks of a status: a message, evidence of waits and failures, and no false claim."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

_REASON = re.compile(r"^[A-Z][A-Za-z0-9]{2,}$")
#: Phases in which something is waited for.
_WAITING = frozenset({"Starting", "Progressing", "RollingBack", "Baking"})
_FAILED = frozenset({"Failed", "RollingBack", "RolledBack"})
#: Failures that no pod is the cause of.
_PODLESS = frozenset(
    {
        "Aborted",
        "Undone",
        "PodCreationFailed",
        "GateFailed",
        "GateRejected",
        "GateTimedOut",
        "Unknown",
    }
)
_DEADLINES = frozenset({"Bake", "StepPause"})


def missing_evidence(status: dict[str, Any]) -> Iterator[str]:
    """Yields what is missing in a status; nothing when it is complete."""
    message, phase = status.get("message", ""), status.get("phase")
    # A message may begin with the path of the field that it is about.
    begins = message[:1].isupper() or message.startswith("spec.")
    if not begins or "\n" in message:
        yield f"the message is not a sentence: {message!r}"
    hold, failure = status.get("waitingFor"), status.get("failure")
    if phase in _WAITING and hold is None:
        yield f"{phase} without a hold: {message!r}"
    if hold:
        yield from _hold(hold)
    if phase in _FAILED and failure is None:
        yield f"{phase} without a failure: {message!r}"
    if failure:
        yield from _failure(failure)
        if phase in _FAILED and failure["reason"] not in message:
            yield f"the message does not name {failure['reason']}: {message!r}"
    for condition in status.get("conditions", ()):
        if not _REASON.match(condition["reason"]):
            yield f"no reason in the condition {condition}"
        if not condition["message"]:
            yield f"no message in the condition {condition}"


def false_claims(status: dict[str, Any], serving: set[str], selected: set[str]) -> Iterator[str]:
    """Yields false claims of a status (R29). `serving` have a ready pod that callers reach at any
    moment that a stale operator may still see; `selected` are reached at every one of them."""
    by_type = {c["type"]: c for c in status.get("conditions", ())}
    available = by_type.get("Available", {}).get("status")
    if available == "True" and not serving:
        yield "Available is True, and no pod that callers are led to is ready"
    if not serving and ("is serving" in status["message"].replace("version is serving", "")):
        yield f"no version answers: {status['message']!r}"
    failed = (status.get("failure") or {}).get("revision")
    if by_type.get("RolledBack", {}).get("status") == "True" and failed in selected:
        yield f"{failed} is called rolled back and callers are led to it"
    ready = by_type.get("Ready", {})
    if ready.get("status") == "False" and ready.get("reason") in ("Ready", "Baking", "Promoted"):
        yield f"Ready is False with the reason {ready['reason']}"


def _hold(hold: dict[str, Any]) -> Iterator[str]:
    if not _REASON.match(hold["reason"]) or not hold.get("startTime"):
        yield f"a hold without reason or time: {hold}"
    if hold["reason"] in _DEADLINES and not (hold.get("expectedEndTime") and hold.get("threshold")):
        yield f"a hold without an end: {hold}"
    if hold["reason"] == "WaitingForPods" and not (hold.get("observed") and hold.get("threshold")):
        yield f"a hold that does not state what is waited for: {hold}"


def _failure(failure: dict[str, Any]) -> Iterator[str]:
    if not _REASON.match(failure["reason"]) or not failure["message"] or not failure.get("time"):
        yield f"a failure without reason, message or time: {failure}"
    if failure["reason"] in _PODLESS:
        return
    if not failure.get("observed") or failure.get("samples") is None:
        yield f"a failure without what was observed, or in how many pods: {failure}"
    if (
        not failure.get("pod")
        and failure["samples"]
        and "did not become endpoints" not in failure["message"]
    ):
        yield f"a failure without its pod: {failure}"
