"""R7 as a table: what is seen in one pod, how old it is, and the reason that it gives."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from canarium.core.facts.pods import Container, Pod, Trouble, TroubleReason
from canarium.core.health.failure_causes import judge
from canarium.fetch.errors import ExitCode

rule = pytest.mark.rule
POD = Pod("p", "rev", "blue", created=0.0)


def reason(now: float, *, was_fully_ready: bool = False, pod: Pod = POD) -> str | None:
    verdict = judge([pod], now=now, unschedulable_deadline=300, was_fully_ready=was_fully_ready)
    return verdict.cause.reason if verdict.cause else None


@rule("R7")
@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        ({"terminated": "Completed", "exit_code": 0}, "ServerExited"),
        ({"terminated": "Error", "exit_code": 1}, "ServerExited"),
        ({"last_terminated": "Error", "last_exit_code": 1}, "ServerExited"),
        ({"waiting": "CrashLoopBackOff", "last_terminated": "Error"}, "CrashLoopBackOff"),
        ({"terminated": "OOMKilled", "exit_code": 137}, "OOMKilled"),
        ({"last_terminated": "OOMKilled", "waiting": "CrashLoopBackOff"}, "OOMKilled"),
        ({"waiting": "CreateContainerConfigError"}, "ConfigError"),
        ({"waiting": "InvalidImageName"}, "ConfigError"),
        ({"waiting": "ErrImageNeverPull"}, "ConfigError"),
        ({"init": True, "terminated": "Error", "exit_code": 2}, None),
        ({"init": True, "terminated": "Completed", "exit_code": 0}, None),
        ({"waiting": "ContainerCreating"}, None),
        ({}, None),
    ],
)
def test_terminal_cause_fails_at_once(seen: dict[str, Any], expected: str | None) -> None:
    assert reason(0.1, pod=replace(POD, containers=(Container("server", **seen),))) == expected


# I5
@rule("R7")
@pytest.mark.parametrize("init", [False, True], ids=["sidecar", "init container"])
@pytest.mark.parametrize(
    "seen",
    [
        {"terminated": "Error", "exit_code": 1},
        {"last_terminated": "Error", "last_exit_code": 1},
        {"last_terminated": "OOMKilled", "last_exit_code": 137},
        {"waiting": "CrashLoopBackOff", "last_terminated": "Error", "last_exit_code": 1},
        {"waiting": "CreateContainerConfigError"},
        {"waiting": "ImagePullBackOff"},
    ],
)
def test_container_other_than_the_server_fails_no_revision(
    seen: dict[str, Any], init: bool
) -> None:
    pod = replace(POD, containers=(Container("server"), Container("proxy", init=init, **seen)))
    assert reason(999.0, pod=pod) is None


# I5
@rule("R7")
def test_fetcher_that_cannot_bring_the_model_still_fails_its_revision() -> None:
    said = '{"reason": "ModelNotFound", "message": "no object at s3://models/fraud/8"}'
    fetch = Container("fetch", init=True, terminated="Error", exit_code=10, message=said)
    assert reason(0.1, pod=replace(POD, containers=(fetch,))) == "ModelNotFound"
    secret = Container("fetch", init=True, waiting="CreateContainerConfigError")
    assert reason(0.1, pod=replace(POD, containers=(secret,))) == "ConfigError"


# I5
@rule("R7")
@pytest.mark.parametrize(("server_ready", "expected"), [(True, None), (False, "ProbeFailed")])
def test_pod_made_unready_by_a_sidecar_is_not_a_failed_probe(
    server_ready: bool, expected: str | None
) -> None:
    containers = (Container("server", ready=server_ready), Container("proxy"))
    pod = replace(POD, ready_changed=30.0, containers=containers)
    assert reason(99.0, was_fully_ready=True, pod=pod) == expected


# I8
@rule("R7")
@pytest.mark.parametrize(
    ("missing", "expected"), [(True, "ConfigError"), (False, None)], ids=["missing", "not mounted"]
)
def test_volume_of_a_missing_secret_fails_at_once_and_one_that_is_not_mounted_does_not(
    missing: bool, expected: str | None
) -> None:
    text = 'MountVolume.SetUp failed for volume "s" : secret "no-such" not found'
    trouble = Trouble(TroubleReason.FAILED_MOUNT, text, missing)
    verdict = judge(
        [replace(POD, trouble=trouble)], now=5.0, unschedulable_deadline=300, was_fully_ready=False
    )
    assert (verdict.cause.reason if verdict.cause else None) == expected
    if verdict.cause:
        assert verdict.cause.message == f"FailedMount: {text}"


@rule("R7")
def test_image_that_another_pod_of_the_revision_runs_fails_nothing() -> None:
    """The registry is out, or the new node cannot reach it."""
    runs = replace(POD, name="a", containers=(Container("server", started=1.0),))
    pulls = replace(POD, name="b", containers=(Container("server", waiting="ImagePullBackOff"),))
    verdict = judge([runs, pulls], now=999.0, unschedulable_deadline=300, was_fully_ready=False)
    assert verdict.cause is None


@rule("R7")
@pytest.mark.parametrize(
    ("artifact", "code", "expected"),
    [
        ("sha256:one", ExitCode.UNAVAILABLE, None),
        ("sha256:one", ExitCode.REFUSED, "SourceUnavailable"),
        (None, ExitCode.UNAVAILABLE, "SourceUnavailable"),
    ],
    ids=["store is out", "refused", "never fetched"],
)
def test_unavailable_store_fails_nothing_once_the_model_is_fetched(
    artifact: str | None, code: ExitCode, expected: str | None
) -> None:
    said = '{"reason": "SourceUnavailable", "message": "no answer"}'
    fetch = Container("fetch", init=True, terminated="Error", exit_code=code, message=said)
    pods = [replace(POD, name="a", artifact=artifact), replace(POD, name="b", containers=(fetch,))]
    verdict = judge(pods, now=9.0, unschedulable_deadline=300, was_fully_ready=False)
    assert (verdict.cause.reason if verdict.cause else None) == expected


@rule("R7")
@pytest.mark.parametrize(("now", "expected"), [(59.0, None), (60.0, "ConfigError")])
def test_error_of_the_container_runtime_has_a_minute_of_grace(
    now: float, expected: str | None
) -> None:
    pod = replace(POD, containers=(Container("server", waiting="CreateContainerError"),))
    assert reason(now, pod=pod) == expected


@rule("R7")
@pytest.mark.parametrize(("now", "expected"), [(59.0, None), (60.0, "ImagePullFailed")])
def test_image_pull_has_a_minute_of_grace(now: float, expected: str | None) -> None:
    pod = replace(POD, containers=(Container("server", waiting="ImagePullBackOff"),))
    assert reason(now, pod=pod) == expected


@rule("R7")
@pytest.mark.parametrize(("now", "expected"), [(259.0, None), (260.0, "ImagePullFailed")])
def test_image_pull_grace_begins_once_images_can_be_pulled(
    now: float, expected: str | None
) -> None:
    pod = replace(
        POD, containers_since=200.0, containers=(Container("server", waiting="ErrImagePull"),)
    )
    assert reason(now, pod=pod) == expected


@rule("R25")
@pytest.mark.parametrize("lost", ["Unknown", "ContainerStatusUnknown"])
@pytest.mark.parametrize("name", ["server", "fetch", "warm-up"])
@pytest.mark.parametrize("over", [True, False])
def test_container_with_an_unknown_exit_has_not_failed(lost: str, name: str, over: bool) -> None:
    """The kubelet reports it so after its node rebooted, as it restarts it in the same pod."""
    ended = {"terminated": lost, "exit_code": 255}
    if over:
        ended = {"last_terminated": lost, "last_exit_code": 255}
    container = Container(name, init=name != "server", **ended)  # type: ignore[arg-type]
    assert reason(99.0, pod=replace(POD, containers=(container,))) is None


@rule("R7")
def test_container_that_keeps_exiting_with_an_unknown_exit_fails() -> None:
    looping = Container("server", waiting="CrashLoopBackOff", last_terminated="Unknown")
    assert reason(99.0, pod=replace(POD, containers=(looping,))) == "CrashLoopBackOff"


@rule("R7")
@pytest.mark.parametrize(("now", "expected"), [(309.0, None), (310.0, "Unschedulable")])
def test_unschedulable_pod_has_its_own_deadline(now: float, expected: str | None) -> None:
    assert reason(now, pod=replace(POD, unschedulable_since=10.0)) == expected


@rule("R7")
@pytest.mark.parametrize(
    ("was_fully_ready", "now", "expected"),
    [(True, 35.0, None), (True, 40.0, "ProbeFailed"), (False, 99.0, None)],
)
def test_readiness_probe_that_fails_after_it_passed_fails_the_revision(
    was_fully_ready: bool, now: float, expected: str | None
) -> None:
    pod = replace(POD, ready_changed=30.0, containers=(Container("server"),))
    assert reason(now, was_fully_ready=was_fully_ready, pod=pod) == expected


@rule("R7")
@pytest.mark.parametrize(
    ("changed", "started", "expected"),
    [(60.0, 61.0, None), (60.0, 60.0, None), (70.0, 61.0, "ProbeFailed")],
    ids=["loading on a late node", "within its first second", "was ready once"],
)
def test_pod_scheduled_late_that_still_loads_was_never_ready(
    changed: float, started: float, expected: str | None
) -> None:
    server = Container("server", started=started)
    pod = replace(POD, ready_changed=changed, containers=(server,))
    assert reason(90.0, was_fully_ready=True, pod=pod) == expected


@rule("R25")
@pytest.mark.parametrize("fact", ["terminating", "disrupted"])
def test_disruption_is_not_failure(fact: str) -> None:
    exited = Container("server", terminated="Error", exit_code=143)
    assert reason(99.0, pod=replace(POD, containers=(exited,), **{fact: True})) is None
