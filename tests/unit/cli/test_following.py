"""`get`, `list`, `status` and `why` without a cluster: their exit codes."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from canarium_cli.exits import Exit
from cli.standin import FAULTS, Standin

MODELS = "modeldeployments.canarium.dev"
#: How the model alone is listed to watch it.
PATH = (
    "/apis/canarium.dev/v1alpha1/namespaces/risk/modeldeployments"
    "?fieldSelector=metadata.name%3Dfraud"
)


def model(phase: str, **status: Any) -> dict[str, Any]:
    """A model in a phase, with a status about its spec."""
    available = {"type": "Available", "status": "True"}
    stable = {"revision": "aaaa1111", "version": "1"}
    return {
        "kind": "ModelDeployment",
        "metadata": {"name": "fraud", "namespace": "risk", "generation": 2},
        "spec": {},
        "status": {
            "observedGeneration": 2,
            "phase": phase,
            "conditions": [available],
            "stable": stable,
            **status,
        },
    }


_AT_ZERO = [
    {"type": "Available", "status": "False", "reason": "ScaledToZero"},
    {"type": "Ready", "status": "True", "reason": "ScaledToZero"},
]
_CANDIDATE = {"candidate": {"revision": "bbbb2222"}, "waitingFor": {"reason": "Manual"}}


@pytest.mark.parametrize(
    ("found", "words", "code"),
    [
        (model("Ready"), (), Exit.OK),
        (model("Baking"), ("--until", "serving"), Exit.OK),
        (model("Baking"), ("--until", "baked", "--timeout", "0.1"), Exit.TIMEOUT),
        (model("Ready"), ("--revision", "cccc3333"), Exit.FAILED),
        (model("RolledBack", failure={"revision": "bbbb2222"}), (), Exit.FAILED),
        (model("Failed"), ("--until", "gate"), Exit.FAILED),
        (model("Invalid"), (), Exit.FAILED),
        (model("Progressing", **_CANDIDATE), ("--until", "gate"), Exit.WAITS_FOR_PERSON),
        (model("Progressing", **_CANDIDATE), ("--timeout", "0.1"), Exit.TIMEOUT),
        (
            model("Progressing", rejectedWrites=[{"reason": "QuotaExceeded"}], **_CANDIDATE),
            ("--until", "gate", "--timeout", "5s"),
            Exit.WAITS_FOR_PERSON,
        ),
        (model("Ready", conditions=_AT_ZERO), ("--timeout", "5s"), Exit.OK),
        (model("Ready", conditions=_AT_ZERO[:1]), ("--timeout", "0.1"), Exit.TIMEOUT),
        (model("Ready", observedGeneration=1), ("--timeout", "0.1"), Exit.TIMEOUT),
    ],
)
def test_status_ends_with_the_code_of_the_result(
    kubectl: Standin, found: dict[str, Any], words: tuple[str, ...], code: Exit
) -> None:
    kubectl.answers("get", MODELS, out=found)
    listed = {"kind": "List", "metadata": {"resourceVersion": "7"}, "items": [found]}
    kubectl.answers("get", f"--raw={PATH}", out=listed)
    kubectl.answers("get", f"--raw={PATH}&watch=true&resourceVersion=7")
    assert kubectl.run("status", "fraud", *words).code == code


def test_status_of_several_models_ends_with_the_worst_code(kubectl: Standin) -> None:
    kubectl.answers("get", MODELS, "ready", out=model("Ready"))
    kubectl.answers("get", MODELS, "failed", out=model("Failed"))
    kubectl.fails(FAULTS["unknown model"][0])
    done = kubectl.run("status", "ready", "failed")
    assert done.code == Exit.FAILED
    assert {line.partition(":")[0] for line in done.out.splitlines()} == {"ready", "failed"}
    done = kubectl.run("status", "ready", "failed", "absent")
    assert done.code == Exit.NOT_FOUND
    assert {line.partition(":")[0] for line in done.out.splitlines()} == {"ready", "failed"}
    assert done.err.startswith("Error: absent: ")


def test_status_writes_an_error_to_stderr_as_every_verb_does(kubectl: Standin) -> None:
    kubectl.is_broken(FAULTS["unknown model"][0])
    done = kubectl.run("status", "fraud")
    assert done.out == ""
    assert done.err == kubectl.run("get", "fraud").err


@pytest.mark.parametrize(
    ("found", "code"), [(model("Ready"), Exit.OK), (model("RolledBack"), Exit.FAILED)]
)
def test_get_until_ends_with_the_code_of_the_result(
    kubectl: Standin, found: dict[str, Any], code: Exit
) -> None:
    kubectl.answers("get", MODELS, out=found)
    kubectl.answers("get", out={"kind": "List", "items": []})
    assert kubectl.run("get", "fraud", "--until", "end").code == code


def test_error_in_a_thread_of_status_is_not_exit_code_0(
    kubectl: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> Exit:
        raise ValueError("unexpected")

    monkeypatch.setattr("canarium_cli.verbs.status._wait", fails)
    with pytest.raises(ValueError, match="unexpected"):
        kubectl.run("status", "fraud")


def test_watch_of_events_with_a_kubectl_that_is_too_old_ends(kubectl: Standin) -> None:
    kubectl.fails(FAULTS["old kubectl"][0], "get", "events", "--watch")
    kubectl.answers("get", MODELS, out=model("Progressing", **_CANDIDATE))
    kubectl.answers("get", out=_EMPTY)
    done = kubectl.run("events", "fraud", "-w")
    assert done.code == Exit.UNREACHABLE
    assert done.err.endswith("kubectl is too old: update it.\n")


_EMPTY = {"kind": "List", "items": []}


def test_watch_of_events_reports_an_outage_once(
    kubectl: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts = iter(range(5))

    def sleep(_: float) -> None:
        if next(attempts, None) is None:
            raise KeyboardInterrupt

    clock = SimpleNamespace(sleep=sleep, time=time.time)
    monkeypatch.setattr("canarium_cli.verbs.events.time", clock)
    kubectl.fails(FAULTS["unreachable"][0], "get", "events", "--watch")
    kubectl.answers("get", MODELS, out=model("Progressing", **_CANDIDATE))
    kubectl.answers("get", out=_EMPTY)
    done = kubectl.run("events", "fraud", "-w")
    assert done.code == 0
    assert done.err.count("Connection lost: ") == 1
    assert next(attempts, None) is None


def test_escapes_of_a_container_do_not_reach_the_terminal(kubectl: Standin) -> None:
    message = "exit 1: \x1b]0;owned\x07\x9b2J\x7f\u202e"
    kubectl.answers("get", MODELS, out=model("Ready", message=message))
    kubectl.answers("get", out=_EMPTY)
    shown = "exit 1: \\x1b]0;owned\\x07\\x9b2J\\x7f\\u202e"
    for words in (("status", "fraud"), ("get", "fraud"), ("why", "fraud")):
        assert shown in kubectl.run(*words).out
        assert not {*"\x1b\x07\x9b\x7f\u202e"} & {*kubectl.run(*words).out}
    assert json.loads(kubectl.run("get", "fraud", "-o", "json").out)["message"] == message


def test_escapes_of_an_error_do_not_reach_the_terminal(kubectl: Standin) -> None:
    kubectl.fails("error: \x1b[2Jdenied")
    assert kubectl.run("get", "fraud").err == "Error: \\x1b[2Jdenied.\n"


@pytest.mark.parametrize(("words", "code"), [(("-w",), 0), (("--until", "serving"), 130)])
def test_interrupt_of_get_is_success_only_without_a_goal(
    kubectl: Standin, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], code: int
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("canarium_cli.verbs.get.view", interrupted)
    kubectl.answers("get", MODELS, out=model("Progressing", **_CANDIDATE))
    kubectl.answers("get", out=_EMPTY)
    assert kubectl.run("get", "fraud", *words).code == code


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_kubectl_ends_with_the_program(
    kubectl: Standin, tmp_path: Path, number: int, code: int
) -> None:
    answer = tmp_path / "model.json"
    answer.write_text(json.dumps(model("Progressing", **_CANDIDATE)))
    listed = tmp_path / "list.json"
    listed.write_text(
        json.dumps(
            {
                "kind": "List",
                "metadata": {"resourceVersion": "7"},
                "items": [model("Progressing", **_CANDIDATE)],
            }
        )
    )
    watch = f"*watch=true*) echo $$ > {tmp_path}/pid; exec sleep 60;;"
    listing = f"*--raw=*) cat {listed};;"
    kubectl.serves("get", f'#!/bin/sh\ncase "$*" in {watch} {listing} *) cat {answer};; esac\n')
    process = kubectl.start("status", "fraud")
    assert process.stdout
    process.stdout.readline()
    pid = wait_for(tmp_path / "pid")
    process.send_signal(number)
    assert process.wait(20) == code
    process.communicate()
    assert has_ended(pid)


def has_ended(pid: int) -> bool:
    """Whether a process ends within seconds."""
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False


def wait_for(path: Path) -> int:
    """The number in a file, once it is there."""
    for _ in range(200):
        if path.exists() and path.read_text().endswith("\n"):
            return int(path.read_text())
        time.sleep(0.05)
    raise AssertionError(f"{path.name} was not written")


def test_why_states_what_happens_next_and_when(kubectl: Standin) -> None:
    end = "2199-01-01T00:00:00Z"
    wait = {"reason": "StepPause", "startTime": "2026-11-28T14:00:00Z", "expectedEndTime": end}
    status = {"candidate": {"revision": "bbbb2222"}, "message": "Then it moves to weight 50."}
    kubectl.answers("get", MODELS, out=model("Progressing", waitingFor=wait, **status))
    lines = kubectl.run("why", "fraud").out.splitlines()
    assert lines[:2] == ["risk/fraud is Progressing", "Then it moves to weight 50."]
    assert any(line.startswith(f"Next: at {end}, in ") for line in lines)


def test_why_suggests_the_decision_that_is_waited_for(kubectl: Standin) -> None:
    gate = {"name": "risk", "kind": "Approval", "state": "Waiting", "before": "Promotion"}
    waits = {"candidate": {"revision": "bbbb2222"}, "waitingFor": {"reason": "WaitingForApproval"}}
    kubectl.answers("get", MODELS, out=model("Progressing", gates=[gate], **waits))
    kubectl.answers("get", out=_EMPTY)
    done = kubectl.run("why", "fraud")
    assert "modeldeploy approve fraud -n risk" in done.out
    assert "modeldeploy promote fraud" not in done.out
