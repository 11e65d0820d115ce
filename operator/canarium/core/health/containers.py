"""Reads the state of one container: how it ended, or why it does not start.

Each function returns a reason and a sentence, or None. `core.health.failure_causes` decides
whether that fails a revision.
"""

from __future__ import annotations

import json

from canarium.api.reasons import FailureReason
from canarium.api.server import FETCH_CONTAINER
from canarium.core.facts.pods import Container
from canarium.untrusted.quoting import quoted

#: A reason and a sentence about it.
ReasonAndText = tuple[str, str]

#: Exit code of the fetch container if a later attempt may succeed (a store is unavailable).
FETCH_UNAVAILABLE = 11

#: Reasons that the kubelet reports.
CRASH_LOOP, OOM_KILLED = "CrashLoopBackOff", "OOMKilled"
#: States of a container that starts later; nothing is wrong with it.
STARTING = frozenset({"ContainerCreating", "PodInitializing"})
_CONFIG = frozenset(
    {
        "CreateContainerConfigError",
        "InvalidImageName",
        "ErrImageNeverPull",
    }
)
#: The container runtime's own errors: a wrong command, or a node in trouble that may recover.
_CREATION = frozenset({"CreateContainerError", "RunContainerError"})
PULL_FAULTS = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "ImageInspectError", "RegistryUnavailable"}
)
#: Reasons of a container whose end was not observed: its node rebooted, or the kubelet lost it. It
#: restarts in the same pod, whose status keeps this reason (R25).
_UNSEEN = frozenset({"Unknown", "ContainerStatusUnknown"})


def _ended(c: Container) -> tuple[str | None, int | None]:
    """Returns how its last run ended, and with which code; None when none ended by itself."""
    now, before = (c.terminated, c.exit_code), (c.last_terminated, c.last_exit_code)
    reason, code = now if c.terminated else before
    return (None, None) if reason in _UNSEEN else (reason, code)


def exited(c: Container) -> ReasonAndText | None:
    """Returns how the server ended, or why the fetcher could not download the model."""
    if c.init and c.name == FETCH_CONTAINER:
        return fetch_failure(c)
    if not c.is_server:
        return None
    ended, code = _ended(c)
    if ended == OOM_KILLED:
        return FailureReason.OOM_KILLED, "the server was killed: it used more memory than its limit"
    if c.waiting == CRASH_LOOP:
        last = f", last with code {c.last_exit_code}" if c.last_exit_code is not None else ""
        text = f"the server keeps exiting{last}{last_line(c)}"
        return FailureReason.CRASH_LOOP, text
    if ended:
        text = f"the server exited with code {code} ({ended}){last_line(c)}"
        return FailureReason.SERVER_EXITED, text
    return None


def fetch_failure(c: Container) -> ReasonAndText | None:
    """Returns why the fetcher could not download the model, from its report if it wrote one."""
    ended, code = _ended(c)
    if not ended or not code:
        return None
    lines = c.message.strip().splitlines()
    try:
        report = json.loads(lines[-1]) if lines else None
    except (ValueError, RecursionError):
        report = None
    if isinstance(report, dict) and {"reason", "message"} <= report.keys():
        # Reported in JSON, which may hold what the quoting of the line did not see.
        text = f"the model was not fetched: {quoted(report['message'])}"
        return quoted(report["reason"], 100), text
    if ended == OOM_KILLED:
        return (
            FailureReason.FETCH_FAILED,
            "the fetcher was killed: it used more memory than its limit",
        )
    return FailureReason.FETCH_FAILED, f"the fetcher exited with code {code}{last_line(c)}"


def fetch_unavailable(c: Container) -> bool:
    """Returns whether the fetcher ended because its source is temporarily unavailable."""
    ended, code = _ended(c)
    return c.init and c.name == FETCH_CONTAINER and bool(ended) and code == FETCH_UNAVAILABLE


def misconfigured(c: Container) -> ReasonAndText | None:
    """Returns which configuration the kubelet misses. A missing Secret of the fetcher is the
    spec's fault as much as one of the server."""
    if c.waiting in _CONFIG and (c.is_server or (c.init and c.name == FETCH_CONTAINER)):
        return FailureReason.CONFIG_ERROR, waiting_text(c)
    return None


def not_created(c: Container) -> ReasonAndText | None:
    """Returns why the container runtime cannot create the server."""
    if c.waiting in _CREATION and c.is_server:
        return FailureReason.CONFIG_ERROR, waiting_text(c)
    return None


def not_pulled(c: Container) -> ReasonAndText | None:
    """Returns why the server's image cannot be pulled."""
    if c.waiting in PULL_FAULTS and c.is_server:
        return FailureReason.IMAGE_PULL_FAILED, waiting_text(c)
    return None


def waiting_text(c: Container) -> str:
    """Returns why the kubelet does not start a container: its word, and its message if any."""
    return ": ".join(part for part in (c.waiting, c.waiting_message) if part)


def last_line(c: Container) -> str:
    """Returns the last line of a container's termination message, after a colon."""
    lines = c.message.strip().splitlines()
    return f": {lines[-1].strip()[-300:]}" if lines else ""
