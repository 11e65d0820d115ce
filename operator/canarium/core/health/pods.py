"""What fails a revision (R7), as a table: cause, terminal or with grace, and how it is seen.

One pod is enough for each cause: a candidate with one crashing pod is not a good candidate.
Pods that are being disrupted (R25) or terminating are never held against their revision.

Only the server's own container fails a revision, and the fetcher when it cannot bring the model.
Sidecars and other init containers, often injected by somebody else, are restarted by the kubelet
and judged by what they lead to: the pod's readiness, and the progress deadline. What keeps them
from starting is reported by `core.health.obstacles`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from canarium.core.facts.observed import Container, Pod
from canarium.untrusted.quoting import quoted

IMAGE_PULL_GRACE = 60.0
CREATION_GRACE = 60.0
UNREADY_GRACE = 10.0
#: The init container that brings the model.
FETCHER = "fetch"
#: Its exit code when the same fetch may succeed later, such as from a store that is out.
FETCH_UNAVAILABLE = 11

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
#: So a container is told of whose end nobody saw: its node rebooted under it, or the kubelet lost
#: it. It is started again in the same pod, which says so for the rest of its life (R25).
_UNSEEN = frozenset({"Unknown", "ContainerStatusUnknown"})


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a revision fails, and with what evidence."""

    reason: str
    message: str
    pod: str | None = None
    container: str | None = None
    observed: str | None = None
    threshold: str | None = None
    samples: int | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """`cause` when the revision has failed; else `recheck`, seconds until grace may run out."""

    cause: Cause | None = None
    recheck: float | None = None


Finding = tuple[str, str]


def _ended(c: Container) -> tuple[str | None, int | None]:
    """How its run that is over ended, and with which code; None when none ended by itself."""
    now, before = (c.terminated, c.exit_code), (c.last_terminated, c.last_exit_code)
    reason, code = now if c.terminated else before
    return (None, None) if reason in _UNSEEN else (reason, code)


def _exited(c: Container) -> Finding | None:
    """A server that ends has failed whatever its exit code: one that could not load exits 0."""
    if c.init and c.name == FETCHER:
        return fetch_failure(c)
    if not c.is_server:
        return None
    ended, code = _ended(c)
    if ended == "OOMKilled":
        return "OOMKilled", "the server was killed: it used more memory than its limit"
    if c.waiting == "CrashLoopBackOff":
        last = c.last_exit_code
        return "CrashLoopBackOff", f"the server keeps exiting, last with code {last}{tail(c)}"
    if ended:
        return "ServerExited", f"the server exited with code {code} ({ended}){tail(c)}"
    return None


def fetch_failure(c: Container) -> Finding | None:
    """Why the fetcher could not bring the model, in its own words if it left any."""
    ended, code = _ended(c)
    if not ended or not code:
        return None
    lines = c.message.strip().splitlines()
    try:
        said = json.loads(lines[-1]) if lines else None
    except ValueError:
        said = None
    if isinstance(said, dict) and said.get("reason") and said.get("message"):
        # Reported in JSON, which may hold what the quoting of the line did not see.
        return quoted(said["reason"], 100), f"the model was not fetched: {quoted(said['message'])}"
    if ended == "OOMKilled":
        return "FetchFailed", "the fetcher was killed: it used more memory than its limit"
    return "FetchFailed", f"the fetcher exited with code {code}{tail(c)}"


def fetch_unavailable(c: Container) -> bool:
    """Whether the fetcher ended because what it needs is not available at the moment."""
    ended, code = _ended(c)
    return c.init and c.name == FETCHER and bool(ended) and code == FETCH_UNAVAILABLE


def unfetched(pods: Iterable[Pod]) -> Cause | None:
    """The first pod whose model could not be fetched, and why."""
    for pod in pods:
        for container in pod.containers:
            found = fetch_failure(container) if container.name == FETCHER else None
            if found and container.init and not pod.terminating:
                return Cause(*found, pod.name, container.name)
    return None


def fetching(pods: Iterable[Pod]) -> str | None:
    """The pod that is waited for, when what it waits for is its model."""
    late = next((pod for pod in pods if not pod.ready and not pod.terminating), None)
    runs = late and any(c.init and c.name == FETCHER and c.started for c in late.containers)
    return late.name if late and runs else None


def changed(pods: Iterable[Pod], artifact: str | None) -> Cause | None:
    """The first pod that fetched other bytes than the `artifact` of its revision's record, and was
    not told in time that it must not."""
    for pod in pods:
        if artifact and pod.artifact and pod.artifact != artifact and not pod.terminating:
            text = f"a pod fetched {pod.artifact}, and its version is {artifact}: other bytes are "
            return Cause("ArtifactChanged", f"{text}at its URI now", pod.name, FETCHER)
    return None


def unstarted(pods: Iterable[Pod]) -> Cause | None:
    """The first pod of which something never could start, and why: no node takes it, or there is
    no image or no configuration for it. In words that stay the same while that is so."""
    for pod in pods:
        if pod.terminating or pod.disrupted or any(_exited(c) for c in pod.containers):
            continue
        if pod.unschedulable_since is not None:
            return Cause("Unschedulable", "no node takes it", pod.name)
        if pod.gated:
            return Cause("SchedulingGated", "the pod has a scheduling gate", pod.name)
        for c in pod.containers:
            found = _pull(c) or _config(c) or _creation(c)
            if found:
                return Cause(found[0], _LACKS[found[0]], pod.name, c.name)
    return None


def _config(c: Container) -> Finding | None:
    """A missing Secret of the fetcher is the spec's fault as much as one of the server."""
    if c.waiting in _CONFIG and (c.is_server or (c.init and c.name == FETCHER)):
        return "ConfigError", f"{c.waiting}: {c.waiting_message}"
    return None


def _creation(c: Container) -> Finding | None:
    if c.waiting in _CREATION and c.is_server:
        return "ConfigError", f"{c.waiting}: {c.waiting_message}"
    return None


def _pull(c: Container) -> Finding | None:
    if c.waiting in PULL_FAULTS and c.is_server:
        return "ImagePullFailed", f"{c.waiting}: {c.waiting_message}"
    return None


_LACKS = {
    "ImagePullFailed": "its image cannot be pulled",
    "ConfigError": "a ConfigMap, Secret or other container configuration is missing or invalid",
}


def tail(c: Container) -> str:
    """Returns the last line of a container's termination message, after a colon."""
    lines = c.message.strip().splitlines()
    return f": {lines[-1].strip()[-300:]}" if lines else ""


#: (how it is seen in a container, seconds of grace since its image could be pulled)
CONTAINER_CAUSES: tuple[tuple[Callable[[Container], Finding | None], float], ...] = (
    (_exited, 0.0),
    (_config, 0.0),
    (_creation, CREATION_GRACE),
    (_pull, IMAGE_PULL_GRACE),
)


def judge(
    pods: Iterable[Pod], *, now: float, unschedulable_deadline: float, was_good: bool
) -> Verdict:
    """The verdict that pods of one revision give.

    `was_good`: the revision had all its pods ready before, so one that turns unready is a probe
    that went bad, not a server that still loads.
    """
    waits: list[float] = []
    judged = [pod for pod in pods if not pod.terminating and not pod.disrupted]
    # An image that another pod of the revision runs exists: it is the registry that is out.
    pulled = any(c.is_server and c.started for pod in judged for c in pod.containers)
    # Likewise the model that another pod has fetched: it is the store, or a node's disk.
    fetched = any(pod.artifact for pod in judged)
    for pod in judged:
        if pod.trouble is not None and pod.trouble.missing:
            # The Secret or ConfigMap of a volume: the same fault as one of an environment variable.
            return Verdict(
                Cause(
                    "ConfigError",
                    f"{pod.trouble.reason}: {pod.trouble.message}",
                    pod.name,
                    observed=pod.trouble.reason,
                    samples=len(judged),
                )
            )
        for container in pod.containers:
            for seen, grace in CONTAINER_CAUSES:
                finding = seen(container)
                if not finding or (seen is _pull and pulled):
                    continue
                if fetched and fetch_unavailable(container):
                    continue
                left = (pod.begun or pod.created) + grace - now if grace else 0.0
                if left <= 0:
                    code = container.exit_code
                    if code is None:
                        code = container.last_exit_code
                    evidence = f"exit code {code}" if code is not None else container.waiting
                    return Verdict(
                        Cause(
                            *finding,
                            pod.name,
                            container.name,
                            observed=evidence,
                            threshold=f"{grace:g}s" if grace else None,
                            samples=len(judged),
                        )
                    )
                waits.append(left)
        if pod.unschedulable_since is not None:
            left = pod.unschedulable_since + unschedulable_deadline - now
            if left <= 0:
                text = pod.unschedulable_message or "no node fits"
                return Verdict(
                    Cause(
                        "Unschedulable",
                        f"no node after {unschedulable_deadline:g}s: {text}",
                        pod.name,
                        observed=f"no node for {now - pod.unschedulable_since:.0f}s",
                        threshold=f"{unschedulable_deadline:g}s",
                        samples=len(judged),
                    )
                )
            waits.append(left)
        elif was_good and not pod.ready and pod.ready_changed is not None:
            seen_ready = pod.ready_changed > _started(pod) + 0.5
            left = pod.ready_changed + UNREADY_GRACE - now
            if seen_ready and _running(pod):
                if left <= 0:
                    return Verdict(
                        Cause(
                            "ProbeFailed",
                            "the readiness probe has been failing after it once passed",
                            pod.name,
                            observed=f"unready for {now - pod.ready_changed:.0f}s",
                            threshold=f"{UNREADY_GRACE:g}s",
                            samples=len(judged),
                        )
                    )
                waits.append(left)
    return Verdict(recheck=min(waits, default=None))


def _started(pod: Pod) -> float:
    """When its servers began: a pod that was never ready has been unready since before that,
    however late a node took it."""
    return max((c.started or 0.0 for c in pod.containers if not c.init), default=0.0) or pod.created


def _running(pod: Pod) -> bool:
    """Whether every container runs, and the server's own probe may be what fails: where the server
    is ready, a sidecar or a readiness gate is not."""
    own = [c for c in pod.containers if not c.init]
    served = any(c.is_server and c.ready for c in own)
    return not served and all(not c.waiting and not c.terminated for c in own)
