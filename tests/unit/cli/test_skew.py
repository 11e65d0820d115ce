"""Verbs beside an operator that is older or newer than the command line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from canarium_cli.reads import MODELS
from cli.standin import Standin
from cli.test_faults import ASKING, WAITING, answer_all
from sweep import every, first
from view.samples import sample

Raw = dict[str, Any]


def newer(model: Raw) -> None:
    """Values, fields and types of conditions that this client does not know."""
    status, spec = model["status"], model["spec"]
    status |= {"phase": "Contemplating", "shadow": {"weights": [1]}}
    status["waitingFor"] = {"reason": "Alignment", "startTime": "2026-11-28T14:28:00Z"}
    for condition in status["conditions"]:
        condition |= {"type": f"{condition['type']}Enough", "reason": "Unheard"}
    for entry in status.get("history", ()):
        entry["outcome"] = "Merged"
    spec["rollout"] = {**spec.get("rollout", {}), "strategy": "Shadow", "steps": [{"share": 3}]}


def older(model: Raw) -> None:
    """The status that the first operator wrote."""
    kept = ("phase", "message", "conditions", "stable", "candidate")
    model["status"] = {name: model["status"][name] for name in kept if name in model["status"]}


def other_types(model: Raw) -> None:
    """Objects where this client expects text, and the reverse."""
    changed = {
        name: "text" if isinstance(value, dict | list) else {"value": value}
        for name, value in model["status"].items()
    }
    model["status"] = changed


@pytest.mark.parametrize("change", first([newer, older, other_types]), ids=lambda x: x.__name__)
@pytest.mark.parametrize("verb", every(x for x in ASKING if x not in ("top", "dashboard")))
def test_verb_ends_with_a_documented_code(
    kubectl: Standin, verb: str, change: Callable[[Raw], None]
) -> None:
    items, _ = sample("step-pause")
    model = next(x for x in items if x["kind"] == "ModelDeployment")
    change(model)
    answer_all(kubectl, items)
    words = ASKING[verb]
    # An exception that is not an error for people is raised here.
    done = kubectl.run(*words, *(["--timeout", "0.2"] if verb in WAITING else []))
    assert done.code in range(8)
    assert done.out or done.err


@pytest.mark.parametrize("verb", ["get", "why", "list", "history", "status"])
def test_what_a_newer_operator_has_written_is_named_as_skew_once(
    kubectl: Standin, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    monkeypatch.setattr("canarium_cli.reads._warned", set())
    items, _ = sample("step-pause")
    newer(next(x for x in items if x["kind"] == "ModelDeployment"))
    answer_all(kubectl, items)
    words = [*ASKING[verb], *(["--timeout", "0.2"] if verb in WAITING else [])]
    err = kubectl.run(*words).err
    assert err.count("Warning: ") == 1
    assert "does not know phase Contemplating, status.shadow, wait Alignment." in err
    assert "use the client of its version (`kubectl modeldeploy version`)" in err


@pytest.mark.parametrize("verb", ["get", "list", "status", "promote", "infer", "logs", "checks"])
def test_newer_version_of_the_api_is_skew_and_not_a_missing_crd(
    kubectl: Standin, verb: str
) -> None:
    item = {"apiVersion": "canarium.dev/v1", "kind": "ModelDeployment", "metadata": {"name": "m"}}
    listed = {"kind": "List", "items": [item]}
    kubectl.answers("get", "modeldeployments.canarium.dev", "fraud", out=item)
    kubectl.answers("get", out=listed)
    done = kubectl.run(*ASKING[verb])
    assert (done.code, done.out) == (5, "")
    assert len(done.err.splitlines()) == 1
    assert "The cluster has canarium.dev/v1, and this client" in done.err
    assert "use the client of the operator's version" in done.err


@pytest.mark.parametrize(
    ("versions", "words"),
    [
        (["canarium.dev/v1"], "The cluster has canarium.dev/v1, and this client"),
        (["canarium.dev/v1", "canarium.dev/v1alpha1"], "install Canarium's CRDs"),
        ([], "install Canarium's CRDs"),
    ],
)
def test_path_that_is_not_served_is_skew_where_another_version_is(
    kubectl: Standin, versions: list[str], words: str
) -> None:
    group = {"kind": "APIGroup", "versions": [{"groupVersion": one} for one in versions]}
    kubectl.answers("get", "--raw=/apis/canarium.dev", out=group)
    kubectl.fails("Error from server (NotFound): the server could not find the requested resource")
    done = kubectl.run("list", "-A")
    assert done.code == 5
    assert words in done.err


def test_plan_beside_a_spec_that_this_client_does_not_know_is_one_sentence(
    kubectl: Standin,
) -> None:
    items, _ = sample("step-pause")
    newer(next(x for x in items if x["kind"] == "ModelDeployment"))
    answer_all(kubectl, items)
    done = kubectl.run(*ASKING["plan"])
    assert (done.code, done.out) == (2, "")
    # A process prints the warning about the newer operator once: here, or in a test before.
    assert len([x for x in done.err.splitlines() if not x.startswith("Warning: ")]) == 1
    assert "spec.rollout.strategy" in done.err
    assert "Use the client of the operator's version" in done.err
    assert MODELS in kubectl.calls[0]
