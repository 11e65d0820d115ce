"""What the pod of a Job means for its gate, and what is read when."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
import pytest_asyncio

from canarium.api.states import JobState
from canarium.core.facts.gate_jobs import JobOutcome, JobReport, JobRequest
from canarium.kube import resources
from canarium.kube.client import Api
from canarium.kube.errors import ApiError
from canarium.kube.resources import Resource
from canarium.sources.gate_jobs import LATER, SOON, GateJobs, ended, obstacle
from sources.rig import KEY, Waiting

rule = pytest.mark.rule
JOB = "fraud-abcdefgh-12345-1"


def request(state: JobState = JobState.FAILED, uid: str = "u1") -> JobRequest:
    return JobRequest(JOB, uid, state)


def pod(*, terminated: dict[str, Any] | None = None, **status: Any) -> dict[str, Any]:
    state = {"terminated": terminated} if terminated else {"running": {}}
    containers = [{"name": "istio-proxy", "state": {"terminated": {"exitCode": 9}}}]
    containers += [{"name": "gate", "state": state}]
    return {
        "metadata": {
            "name": "p1",
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "ownerReferences": [{"kind": "Job", "uid": "u1", "controller": True}],
        },
        "status": {"containerStatuses": containers, **status},
    }


def exited(code: int, message: str = "", reason: str = "Error") -> dict[str, Any]:
    return pod(terminated={"exitCode": code, "message": message, "reason": reason})


@rule("R27")
def test_failed_job_fails_the_gate_with_exit_code_and_message() -> None:
    report = ended(request(), exited(3, "accuracy 0.71"))
    assert report == JobReport(request(), JobOutcome.FAILED, 3, "accuracy 0.71")
    killed = ended(request(), exited(137, "", "OOMKilled"))
    assert (killed.outcome, killed.exit_code, killed.text) == (JobOutcome.FAILED, 137, "OOMKilled")
    assert ended(request(), exited(1, "big", "OOMKilled")).text == "OOMKilled: big"


@rule("R27")
def test_succeeded_job_passes_also_without_its_pod() -> None:
    done = request(JobState.SUCCEEDED)
    assert ended(done, None) == JobReport(done, JobOutcome.PASSED, 0)
    assert ended(done, exited(0, "fine", "Completed")).text == "fine"


_DISRUPTED = {"type": "DisruptionTarget", "status": "True", "message": "Eviction API: evicting"}


@rule("R25", "R27")
@pytest.mark.parametrize(
    ("found", "text"),
    [
        (None, "its pod was deleted"),
        (
            pod(terminated={"exitCode": 137}, conditions=[_DISRUPTED]),
            "its pod was disrupted: Eviction API: evicting",
        ),
        (
            {**exited(143), "metadata": {"name": "p", "deletionTimestamp": "2026-01-01T00:00:00Z"}},
            "its pod was deleted",
        ),
        (
            {
                "metadata": {"name": "p"},
                "status": {"reason": "OutOfcpu", "message": "Pod was rejected: no cpu"},
            },
            "its container did not end by itself: Pod was rejected: no cpu",
        ),
        (exited(137, reason="ContainerStatusUnknown"), "its container did not end by itself"),
        (exited(0), "another container of its pod failed"),
    ],
    ids=["deleted", "evicted", "terminating", "rejected", "unknown", "other-container"],
)
def test_job_that_did_not_end_by_itself_is_lost(found: Any, text: str) -> None:
    assert ended(request(), found) == JobReport(request(), JobOutcome.LOST, text=text)


@rule("R27")
def test_results_in_the_termination_message_are_kept_as_json() -> None:
    message = json.dumps({"results": {"accuracy": 0.93, "by": "ü\u202e"}, "message": "good"})
    report = ended(request(JobState.SUCCEEDED), exited(0, message))
    assert report.text == "good"
    assert report.results == '{"accuracy":0.93,"by":"ü\\u202e"}'


@rule("R27")
def test_results_may_fill_the_termination_message_with_any_language() -> None:
    message = json.dumps({"results": {"k": "ä" * 2000}}, ensure_ascii=False)
    assert len(message.encode()) <= 4096
    report = ended(request(JobState.SUCCEEDED), exited(0, message))
    assert report.results == json.dumps(
        {"k": "ä" * 2000}, ensure_ascii=False, separators=(",", ":")
    )


@pytest.mark.parametrize(
    "message",
    ["{broken", "[1]", '{"other": 1}', '{"results": NaN}', "{" * 4000, "plain"],
)
def test_message_that_is_not_a_report_is_a_text(message: str) -> None:
    report = ended(request(), exited(1, message))
    assert report.results is None
    assert report.outcome is JobOutcome.FAILED
    assert report.text[-3:] == message[-3:]
    assert len(report.text) <= 500


@rule("R27")
def test_untrusted_message_is_quoted_and_its_end_is_kept() -> None:
    report = ended(request(), exited(1, "x" * 3000 + "\n\x1b[31mValueError"))
    assert "\x1b" not in report.text
    assert "\n" not in report.text
    assert report.text.endswith("ValueError")


@rule("R27", "R29")
def test_obstacle_of_a_pod_is_its_own_words() -> None:
    assert obstacle(pod()) == ""
    condition = {"type": "PodScheduled", "status": "False", "message": "0/3 nodes"}
    assert obstacle(pod(conditions=[condition])) == "pod/p1 is not scheduled: 0/3 nodes"
    waiting = pod()
    container = waiting["status"]["containerStatuses"][1]
    container["state"] = {"waiting": {"reason": "ContainerCreating"}}
    assert obstacle(waiting) == ""
    container["state"] = {"waiting": {"reason": "ErrImagePull", "message": "not\nfound"}}
    assert obstacle(waiting).startswith("pod/p1: ErrImagePull: not")


class Pods:
    """The API server, which has these pods and Events, or answers with an error."""

    def __init__(self) -> None:
        self.pods: list[dict[str, Any]] = []
        self.events: list[dict[str, Any]] = []
        self.error: Exception | None = None
        self.asked: list[str] = []

    async def list(
        self, resource: Resource, namespace: str | None = None, **query: str
    ) -> dict[str, Any]:
        assert namespace == KEY[0]
        self.asked.append(query.get("labelSelector") or query["fieldSelector"])
        if self.error:
            raise self.error
        stored = self.pods if resource is resources.PODS else self.events
        start = int(query.get("continue", "0"))
        end = start + int(query["limit"])
        more = {"continue": str(end)} if end < len(stored) else {}
        return {"metadata": more, "items": stored[start:end]}


class Rig(Waiting):
    """Reads that do not wait, until the last of `most_waits`, which does not end."""

    stops = True

    def __init__(self, most_waits: int = 1) -> None:
        super().__init__()
        self.most_waits = most_waits
        self.api = Pods()
        self.jobs = GateJobs(cast(Api, self.api), self.wake, self.timing)

    async def report(self, one: JobRequest) -> JobReport:
        self.jobs.want(KEY, [one])
        await self.until_woken()
        (report,) = self.jobs.reports(KEY)
        return report


@pytest_asyncio.fixture
async def rig() -> AsyncIterator[Rig]:
    made = Rig()
    yield made
    await made.jobs.close()


@rule("R27")
async def test_newest_pod_of_the_very_job_is_read_once_it_has_ended(rig: Rig) -> None:
    older = exited(1, "older")
    newer = exited(3, "newer")
    newer["metadata"]["creationTimestamp"] = "2026-01-02T00:00:00Z"
    rig.api.pods = [newer, older]
    report = await rig.report(request())
    assert (report.exit_code, report.text) == (3, "newer")
    assert rig.api.asked == ["batch.kubernetes.io/controller-uid=u1"]
    assert not rig.waits


@rule("R27", "R31")
@pytest.mark.parametrize("owners", [[], [{"uid": "u2", "controller": True}], [{"uid": "u1"}]])
async def test_pod_with_the_label_of_a_job_that_does_not_control_it_is_ignored(
    rig: Rig, owners: list[dict[str, Any]]
) -> None:
    forged = exited(7, "forged")
    forged["metadata"] |= {"creationTimestamp": "2026-01-02T00:00:00Z", "ownerReferences": owners}
    rig.api.pods = [forged] * 20 + [exited(3, "accuracy 0.71")] + [forged] * 20
    report = await rig.report(request())
    assert (report.outcome, report.exit_code, report.text) == (
        JobOutcome.FAILED, 3, "accuracy 0.71"
    )  # fmt: skip


@rule("R27", "R29", "R31")
async def test_too_many_pods_with_the_label_of_a_job_are_reported_and_no_result_is_lost(
    rig: Rig,
) -> None:
    forged = exited(7)
    forged["metadata"]["ownerReferences"] = []
    rig.api.pods = [forged] * 5_000 + [exited(3)]
    report = await rig.report(request())
    assert (report.outcome, report.blocked) == (JobOutcome.UNFINISHED, True)
    assert report.text == (
        f"its pod cannot be read: more than 50 pods have the label of job/{JOB}; "
        "delete those that it does not own"
    )
    assert len(rig.api.asked) == 5, "and each page has ten"


@rule("R27", "R29")
async def test_running_job_without_a_pod_shows_why_none_can_be_created(rig: Rig) -> None:
    rig.api.events = [
        {"lastTimestamp": "2026-01-01T00:00:02Z", "message": "exceeded quota: q"},
        {"lastTimestamp": "2026-01-01T00:00:01Z", "message": "older"},
    ]
    report = await rig.report(request(JobState.RUNNING))
    assert (report.outcome, report.text, report.blocked) == (
        JobOutcome.UNFINISHED, "exceeded quota: q", True
    )  # fmt: skip
    assert rig.api.asked[1] == "involvedObject.uid=u1,reason=FailedCreate"
    await rig.patient.wait()
    assert SOON / 2 <= rig.waits[0] <= SOON


@rule("R27")
async def test_running_job_is_read_less_often_later() -> None:
    rig = Rig(most_waits=4)
    rig.api.pods = [pod()]
    report = await rig.report(request(JobState.RUNNING))
    assert (report.outcome, report.blocked) == (JobOutcome.UNFINISHED, False)
    await rig.patient.wait()
    assert all(LATER / 2 <= wait <= LATER for wait in rig.waits[1:])
    await rig.jobs.close()


@rule("R27")
@pytest.mark.parametrize("error", [ApiError(403, "Forbidden", "no right"), ValueError("bug")])
async def test_pod_that_cannot_be_read_is_read_again(error: Exception) -> None:
    rig = Rig(most_waits=3)
    rig.api.error = error
    report = await rig.report(request())
    assert (report.outcome, report.blocked) == (JobOutcome.UNFINISHED, True)
    assert report.text.startswith("its pod cannot be read: ")
    await rig.patient.wait()
    assert rig.waits == sorted(rig.waits)
    await rig.jobs.close()


@rule("R27")
async def test_job_that_is_no_longer_requested_has_no_report(rig: Rig) -> None:
    rig.api.pods = [exited(3)]
    await rig.report(request())
    rig.jobs.forget(KEY)
    assert rig.jobs.reports(KEY) == ()
