"""`get`, `list`, `status` and `why` without a cluster: their exit codes, and what every other verb
does with a cluster that refuses to answer."""

from __future__ import annotations

from typing import Any

import pytest

from canarium_cli.exits import Exit
from cli.standin import FAULTS, Standin
from cli.test_plan import CANARY

MODELS = "modeldeployments.canarium.dev"
#: Verbs that `test_commands`, `test_logs` and `test_ship` do not try: about a model, and others.
_OF_A_MODEL = (["get", "fraud"], ["get", "fraud", "-w"], ["status", "fraud"], ["why", "fraud"],
               ["report", "fraud"])  # fmt: skip
_OTHERS = (["list"], ["list", "-w"], ["list", "-A"], ["version"], ["doctor"], ["dashboard"],
           ["plan", "--server", "-f", str(CANARY)])  # fmt: skip
_CASES = [
    *((words, fault) for words in _OF_A_MODEL for fault in FAULTS),
    *((words, fault) for words in _OTHERS for fault in FAULTS if fault != "unknown model"),
]


@pytest.mark.parametrize(("words", "fault"), _CASES)
def test_fault_is_one_sentence_and_an_exit_code(
    kubectl: Standin, words: list[str], fault: str
) -> None:
    kubectl.is_broken(FAULTS[fault][0])
    done = kubectl.run(*words)
    text = done.out + done.err
    assert done.code == FAULTS[fault][1], text
    assert len(text.splitlines()) == 1
    assert text.endswith(".\n")
    assert "?." not in text


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
        (model("Ready", observedGeneration=1), ("--timeout", "0.1"), Exit.TIMEOUT),
    ],
)
def test_status_ends_with_the_code_of_the_result(
    kubectl: Standin, found: dict[str, Any], words: tuple[str, ...], code: Exit
) -> None:
    kubectl.answers("get", MODELS, out=found)
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
