"""`get`, `list`, `status` and `why` without a cluster: their exit codes."""

from __future__ import annotations

from typing import Any

import pytest

from canarium_cli.exits import Exit
from cli.standin import FAULTS, Standin

MODELS = "modeldeployments.canarium.dev"


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


@pytest.mark.parametrize(
    "words", ["status fraud", "get fraud -w", "checks fraud -w", "logs fraud -f", "events fraud -w"]
)
def test_watch_with_a_kubectl_that_is_too_old_ends(kubectl: Standin, words: str) -> None:
    watched = model("Progressing", **_CANDIDATE)
    # Those of the watches; other reads succeed.
    kubectl.fails(FAULTS["old kubectl"][0], "get", MODELS, "--field-selector=metadata.name=fraud")
    kubectl.fails(FAULTS["old kubectl"][0], "get", "events", "--watch")
    kubectl.answers("get", MODELS, out=watched)
    kubectl.answers("get", out={"kind": "List", "items": []})
    done = kubectl.run(*words.split())
    assert done.code == Exit.UNREACHABLE
    assert done.err.endswith("kubectl is too old: update it.\n")
