"""What fails a revision (R7), as a table: `FAILURE_CAUSES`, and `judge`, which evaluates it.

One pod is enough for each cause: a candidate with one crashing pod is not a good candidate. Pods
that are being disrupted (R25) or terminating are never held against their revision.

The checks run in the order of the table, and the first whose grace period is over is the cause. A
check yields each cause together with the time from which it counts. While a grace period runs,
`judge` returns when to judge again.

Only the server's own container fails a revision, and the fetcher when it cannot bring the model.
Sidecars and other init containers, often injected by other software, are restarted by the kubelet
and judged by what they lead to: the pod's readiness, and the progress deadline. What keeps them
from starting is reported by `core.health.obstacles`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from canarium.api.reasons import FailureReason
from canarium.core.facts.pods import Container, Pod
from canarium.core.health import containers
from canarium.core.health.cause import Cause
from canarium.core.health.pods import changed

IMAGE_PULL_GRACE = 60.0
CREATION_GRACE = 60.0
UNREADY_GRACE = 10.0


@dataclass(frozen=True, slots=True)
class Deadline:
    """When the revision's pods have to be ready, and the cause if they are not."""

    at: float
    missed: Callable[[], Cause]


@dataclass(frozen=True, slots=True)
class JudgedRevision:
    """The pods that count for or against a revision, and what its settings allow.

    `was_fully_ready`: all its pods were ready before, so a pod that becomes unready has a failing
    probe, and is not a server that still loads its model.
    """

    pods: tuple[Pod, ...]
    now: float
    unschedulable_deadline: float
    was_fully_ready: bool
    #: Digest of the model that it serves, from its record.
    artifact: str | None = None
    deadline: Deadline | None = None

    def container_cause(
        self,
        pod: Pod,
        container: Container,
        reason_and_text: containers.ReasonAndText,
        grace: float = 0.0,
    ) -> Cause:
        """Returns the cause that a container shows, with its exit code or state as evidence."""
        code = container.exit_code
        if code is None:
            code = container.last_exit_code
        return Cause(
            *reason_and_text,
            pod.name,
            container.name,
            observed=f"exit code {code}" if code is not None else container.waiting,
            threshold=f"{grace:g}s" if grace else None,
            samples=len(self.pods),
        )


@dataclass(frozen=True, slots=True)
class TimedCause:
    """A cause that a check found. It counts from `at` on (POSIX seconds); None: immediately."""

    cause: Cause
    at: float | None = None


@dataclass(frozen=True, slots=True)
class CandidateHealth:
    """`cause` when the revision has failed; else `recheck`, the seconds until a grace may end."""

    cause: Cause | None = None
    recheck: float | None = None


def volume_source_is_missing(r: JudgedRevision) -> Iterator[TimedCause]:
    for pod in r.pods:
        if pod.trouble is not None and pod.trouble.missing:
            text = f"{pod.trouble.reason}: {pod.trouble.message}"
            yield TimedCause(
                Cause(
                    FailureReason.CONFIG_ERROR,
                    text,
                    pod.name,
                    observed=pod.trouble.reason,
                    samples=len(r.pods),
                )
            )


def server_exited_or_fetch_failed(r: JudgedRevision) -> Iterator[TimedCause]:
    for pod, container in _containers(r):
        reason_and_text = containers.exited(container)
        if reason_and_text:
            yield TimedCause(r.container_cause(pod, container, reason_and_text))


def container_configuration_is_invalid(r: JudgedRevision) -> Iterator[TimedCause]:
    for pod, container in _containers(r):
        reason_and_text = containers.misconfigured(container)
        if reason_and_text:
            yield TimedCause(r.container_cause(pod, container, reason_and_text))


def server_cannot_be_created(r: JudgedRevision) -> Iterator[TimedCause]:
    for pod, container in _containers(r):
        reason_and_text = containers.not_created(container)
        if reason_and_text:
            cause = r.container_cause(pod, container, reason_and_text, CREATION_GRACE)
            yield TimedCause(cause, (pod.containers_since or pod.created) + CREATION_GRACE)


def image_cannot_be_pulled(r: JudgedRevision) -> Iterator[TimedCause]:
    if any(c.is_server and c.started for pod in r.pods for c in pod.containers):
        return  # Another pod of the revision runs the image, so the registry is unavailable.
    for pod, container in _containers(r):
        reason_and_text = containers.not_pulled(container)
        if reason_and_text:
            cause = r.container_cause(pod, container, reason_and_text, IMAGE_PULL_GRACE)
            yield TimedCause(cause, (pod.containers_since or pod.created) + IMAGE_PULL_GRACE)


def pod_is_unschedulable(r: JudgedRevision) -> Iterator[TimedCause]:
    for pod in r.pods:
        if pod.unschedulable_since is None:
            continue
        cause = Cause(
            FailureReason.UNSCHEDULABLE,
            f"unschedulable for {r.unschedulable_deadline:g}s: {pod.unschedulable_message}",
            pod.name,
            observed=f"unschedulable for {r.now - pod.unschedulable_since:.0f}s",
            threshold=f"{r.unschedulable_deadline:g}s",
            samples=len(r.pods),
        )
        yield TimedCause(cause, pod.unschedulable_since + r.unschedulable_deadline)


def readiness_probe_fails_after_it_passed(r: JudgedRevision) -> Iterator[TimedCause]:
    for pod in r.pods if r.was_fully_ready else ():
        if pod.unschedulable_since is not None or pod.ready or pod.ready_changed is None:
            continue
        was_ready = pod.ready_changed > _started(pod) + 0.5
        if not was_ready or not _server_runs(pod):
            continue
        cause = Cause(
            FailureReason.PROBE_FAILED,
            "the readiness probe has been failing after previously succeeding",
            pod.name,
            observed=f"unready for {r.now - pod.ready_changed:.0f}s",
            threshold=f"{UNREADY_GRACE:g}s",
            samples=len(r.pods),
        )
        yield TimedCause(cause, pod.ready_changed + UNREADY_GRACE)


def pod_fetched_other_bytes(r: JudgedRevision) -> Iterator[TimedCause]:
    cause = changed(r.pods, r.artifact)
    if cause:
        yield TimedCause(cause)


def progress_deadline_is_exceeded(r: JudgedRevision) -> Iterator[TimedCause]:
    if r.deadline is not None and r.deadline.at <= r.now:
        yield TimedCause(r.deadline.missed())
    elif r.deadline is not None:
        yield TimedCause(Cause(FailureReason.PROGRESS_DEADLINE_EXCEEDED, ""), r.deadline.at)


FAILURE_CAUSES: tuple[Callable[[JudgedRevision], Iterator[TimedCause]], ...] = (
    # The Secret or ConfigMap of a volume: the same fault as one of an environment variable.
    volume_source_is_missing,
    # A server that exits has failed with any code: one that could not load its model may exit 0.
    server_exited_or_fetch_failed,
    # The kubelet cannot start the container from this spec, and no retry changes that.
    container_configuration_is_invalid,
    # The container runtime's own errors: a wrong command, or a node in trouble that may recover.
    server_cannot_be_created,
    # A registry may be unavailable briefly, so there is a grace period.
    image_cannot_be_pulled,
    # A cluster autoscaler may add a node, so this has a separate deadline.
    pod_is_unschedulable,
    # A server that has stopped responding, for longer than its restart takes to be reported.
    readiness_probe_fails_after_it_passed,
    # It would serve another model than that of the version.
    pod_fetched_other_bytes,
    # For any reason: pods that are not ready within the deadline of the spec.
    progress_deadline_is_exceeded,
)


def judge(
    pods: Iterable[Pod],
    *,
    now: float,
    unschedulable_deadline: float,
    was_fully_ready: bool,
    artifact: str | None = None,
    deadline: Deadline | None = None,
) -> CandidateHealth:
    """Returns the verdict on the pods of one revision (see `JudgedRevision`)."""
    counted = tuple(pod for pod in pods if not pod.terminating and not pod.disrupted)
    r = JudgedRevision(counted, now, unschedulable_deadline, was_fully_ready, artifact, deadline)
    waits: list[float] = []
    for check in FAILURE_CAUSES:
        for timed in check(r):
            left = timed.at - now if timed.at is not None else 0.0
            if left <= 0:
                return CandidateHealth(timed.cause)
            waits.append(left)
    return CandidateHealth(recheck=min(waits, default=None))


def _containers(r: JudgedRevision) -> Iterator[tuple[Pod, Container]]:
    """Yields the containers that may fail the revision.

    A model that another pod has downloaded exists: a fetcher that cannot reach it has a problem
    with its store or node.
    """
    fetched = any(pod.artifact for pod in r.pods)
    for pod in r.pods:
        for container in pod.containers:
            if not (fetched and containers.fetch_unavailable(container)):
                yield pod, container


def _started(pod: Pod) -> float:
    """Returns when its servers started (POSIX seconds); the creation time if none has.

    A pod that was never ready has been unready since before that, even if it was scheduled late.
    """
    return max((c.started or 0.0 for c in pod.containers if not c.init), default=0.0) or pod.created


def _server_runs(pod: Pod) -> bool:
    """Returns whether all containers run and the server's own probe may be the one that fails.

    If the server is ready, a sidecar or a readiness gate is not.
    """
    own = [c for c in pod.containers if not c.init]
    server_ready = any(c.is_server and c.ready for c in own)
    return not server_ready and all(not c.waiting and not c.terminated for c in own)
