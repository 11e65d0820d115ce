"""Reads the pods of Jobs at gates: how they ended, or what keeps them from running (R27).

A Job alone does not show the exit code of its container, nor whether its pod was deleted. Pods of
these Jobs are not among the watched pods of models, so they are read while a gate waits: at once
when the Job changes, and now and then while it runs.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from canarium.api.states import JobState
from canarium.core.facts.gate_jobs import JobOutcome, JobReport, JobRequest
from canarium.kube import resources
from canarium.kube.client import Api
from canarium.kube.clock import Timing
from canarium.kube.errors import ApiError
from canarium.sources.background import Attempt, Background, Wake
from canarium.sources.registries import Key
from canarium.untrusted.error_log import ErrorLog
from canarium.untrusted.quoting import is_safe, quoted

log = logging.getLogger(__name__)
#: Seconds between two reads while the Job runs: the first, and later ones.
SOON, LATER = 3.0, 20.0
#: Seconds until a failed read is repeated, doubled each time, and the longest.
_FIRST_WAIT, _LAST_WAIT = 1.0, 30.0
_DOUBLINGS = 5
#: Characters of a message, and bytes of results, that are kept.
_LONGEST, _LARGEST = 500, 4096
#: Characters of the longest message when all of it is escaped.
_WHOLE = 8 * _LARGEST
#: States in which a container of a pod is normally created.
_STARTING = frozenset({"ContainerCreating", "PodInitializing", ""})
_CONTAINER = "gate"
#: Pods and Events of one page, and pages of pods. A Job of a gate has few pods, but its label may
#: be on any pod of the namespace.
_PAGE, _PAGES = 10, 5


class GateJobs:
    """Reads what plans request: each Job of a model on its own."""

    def __init__(self, api: Api, wake: Wake, timing: Timing | None = None) -> None:
        self._api = api
        self._requests = Background[JobRequest, JobReport](
            self._once, lambda key, urgent: wake(_model(key), urgent), timing or Timing()
        )
        self._wanted: dict[Key, frozenset[str]] = {}
        self._error_log = ErrorLog(log)

    def want(self, key: Key, requests: Iterable[JobRequest]) -> None:
        """Starts to read the pods of each of `requests`, and stops all others of the model."""
        wanted = {request.name: request for request in requests}
        for name in self._wanted.pop(key, frozenset()) - wanted.keys():
            self._requests.forget(_job_key(key, name))
        for name, request in wanted.items():
            self._requests.want(_job_key(key, name), request)
        if wanted:
            self._wanted[key] = frozenset(wanted)

    def reports(self, key: Key) -> tuple[JobReport, ...]:
        """Returns the latest report about each requested Job of a model that has one."""
        names = sorted(self._wanted.get(key, ()))
        reports = (self._requests.result(_job_key(key, name)) for name in names)
        return tuple(report for report in reports if report)

    def forget(self, key: Key) -> None:
        """Stops all reads for a model."""
        self.want(key, ())

    async def close(self) -> None:
        """Stops everything."""
        await self._requests.close()

    async def _once(self, key: Key, request: JobRequest, number: int) -> Attempt[JobReport]:
        """Reads once; never raises."""
        try:
            report = await self._report(key[0], request)
        except Exception as error:
            text = self._error(key, request, error)
            wait = min(_LAST_WAIT, _FIRST_WAIT * 2.0 ** min(number - 1, _DOUBLINGS))
            text = f"its pod cannot be read: {text}"
            blocked = JobReport(request, JobOutcome.UNFINISHED, text=text, blocked=True)
            return Attempt(blocked, again=wait)
        if report.outcome is JobOutcome.UNFINISHED:
            return Attempt(report, again=SOON if number == 1 else LATER)
        return Attempt(report)

    def _error(self, key: Key, request: JobRequest, error: Exception) -> str:
        if isinstance(error, ApiError):
            return quoted(error.message, _LONGEST)
        what = f"{key[0]}/{request.name}"
        return self._error_log.report((key, "jobs"), what, "its pod", error)

    async def _report(self, namespace: str, request: JobRequest) -> JobReport:
        """Raises ApiError."""
        pod = await self._pod(namespace, request)
        if request.state != JobState.RUNNING:
            return ended(request, pod)
        if pod is None:
            text = await self._why_no_pod(namespace, request)
        else:
            text = obstacle(pod)
        return JobReport(request, JobOutcome.UNFINISHED, text=text, blocked=bool(text))

    async def _pod(self, namespace: str, request: JobRequest) -> Mapping[str, Any] | None:
        """Returns the newest pod that the Job controls. Raises ApiError.

        Too many pods with its label are an error: the pod among them may be the newest.
        """
        query = {
            "labelSelector": f"batch.kubernetes.io/controller-uid={request.uid}",
            "limit": str(_PAGE),
        }
        pods: list[Mapping[str, Any]] = []
        for _ in range(_PAGES):
            page = await self._api.list(resources.PODS, namespace, **query)
            pods += [pod for pod in page.get("items") or () if _is_controlled(pod, request.uid)]
            more = (page.get("metadata") or {}).get("continue")
            if not more:
                return max(pods, key=_created, default=None)
            query["continue"] = more
        text = f"more than {_PAGES * _PAGE} pods have the label of job/{request.name}; delete those"
        raise ApiError(0, "TooManyPods", f"{text} that it does not own")

    async def _why_no_pod(self, namespace: str, request: JobRequest) -> str:
        """Returns why the pod of a Job cannot be created, by its newest Event. Raises ApiError."""
        selector = f"involvedObject.uid={request.uid},reason=FailedCreate"
        page = await self._api.list(
            resources.EVENTS, namespace, fieldSelector=selector, limit=str(_PAGE)
        )
        events = sorted(page.get("items") or (), key=lambda e: str(e.get("lastTimestamp") or ""))
        return quoted(events[-1].get("message") or "", _LONGEST) if events else ""


def ended(request: JobRequest, pod: Mapping[str, Any] | None) -> JobReport:
    """Returns what the pod of a Job that has ended means for its gate.

    A Job that succeeded passes, also without its pod. One that failed fails the version only
    if its own container exited by itself.
    """
    exited = _exit(pod) if pod else None
    text, results = _message(exited) if exited else ("", None)
    if request.state == JobState.SUCCEEDED:
        return JobReport(request, JobOutcome.PASSED, 0, text, results)
    lost = _loss(pod, exited)
    if lost or exited is None:
        return JobReport(request, JobOutcome.LOST, text=lost)
    reason = exited.get("reason")
    if reason not in (None, "", "Error"):
        text = f"{quoted(reason, 64)}: {text}" if text else quoted(reason, 64)
    return JobReport(request, JobOutcome.FAILED, int(exited["exitCode"]), text, results)


def _loss(pod: Mapping[str, Any] | None, exited: Mapping[str, Any] | None) -> str:
    """Returns why the result of a failed Job is lost; empty if it has one."""
    if pod is None:
        return "its pod was deleted"
    status = pod.get("status") or {}
    for condition in status.get("conditions") or ():
        if condition.get("type") == "DisruptionTarget" and condition.get("status") == "True":
            why = quoted(condition.get("message") or condition.get("reason") or "", _LONGEST)
            return f"its pod was disrupted: {why}" if why else "its pod was disrupted"
    if pod["metadata"].get("deletionTimestamp"):
        return "its pod was deleted"
    if exited is None or exited.get("reason") == "ContainerStatusUnknown":
        why = quoted(status.get("message") or status.get("reason") or "", _LONGEST)
        return f"its container did not end by itself: {why}".rstrip(": ")
    if not exited.get("exitCode"):
        return "another container of its pod failed"
    return ""


def obstacle(pod: Mapping[str, Any]) -> str:
    """Returns what keeps the pod of a Job from running; empty if nothing does."""
    status, name = pod.get("status") or {}, pod["metadata"]["name"]
    for condition in status.get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return (
                f"pod/{name} is not scheduled: {quoted(condition.get('message') or '', _LONGEST)}"
            )
    for container in status.get("containerStatuses") or ():
        waiting = (container.get("state") or {}).get("waiting") or {}
        if container.get("name") == _CONTAINER and waiting.get("reason", "") not in _STARTING:
            why = f"{waiting['reason']}: {waiting.get('message') or ''}".rstrip(": ")
            return f"pod/{name}: {quoted(why, _LONGEST)}"
    return ""


def _exit(pod: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Returns how the container of the gate ended; None if it has not, or never started."""
    for container in (pod.get("status") or {}).get("containerStatuses") or ():
        if container.get("name") == _CONTAINER:
            exited: Mapping[str, Any] | None = (container.get("state") or {}).get("terminated")
            return exited
    return None


def _message(exited: Mapping[str, Any]) -> tuple[str, str | None]:
    """Returns the message of a container that ended, and its results (JSON), if it wrote any.

    A JSON object may have `message` and `results`; anything else is the message itself.
    """
    raw = exited.get("message") or ""
    try:
        parsed = orjson.loads(raw[:_LARGEST].encode()) if raw.lstrip().startswith("{") else None
    except (orjson.JSONDecodeError, UnicodeEncodeError):
        parsed = None
    if not isinstance(parsed, dict) or not parsed.keys() & {"results", "message"}:
        # The end of a log has its error.
        return quoted(raw.strip(), _WHOLE)[-_LONGEST:], None
    words, results = parsed.get("message"), parsed.get("results")
    text = quoted(words, _LONGEST) if isinstance(words, str) else ""
    return text, _as_text(results) if results is not None else None


def _as_text(results: Any) -> str | None:
    """Returns results as JSON of at most 4 KiB, without a character that a terminal could
    interpret."""
    # Unsafe characters occur only in strings, where JSON has the same meaning for their escapes.
    whole = json.dumps(results, separators=(",", ":"), ensure_ascii=False)
    text = "".join(c if is_safe(c) else json.dumps(c)[1:-1] for c in whole)
    return text if len(text.encode()) <= _LARGEST else None


def _is_controlled(pod: Mapping[str, Any], uid: str) -> bool:
    owners = pod["metadata"].get("ownerReferences") or ()
    return any(owner.get("controller") and owner.get("uid") == uid for owner in owners)


def _created(pod: Mapping[str, Any]) -> str:
    return str(pod["metadata"].get("creationTimestamp") or "")


def _job_key(key: Key, name: str) -> Key:
    return key[0], f"{key[1]}/{name}"


def _model(key: Key) -> Key:
    return key[0], key[1].partition("/")[0]
