"""Verbs of a user who may read some kinds only: what a verb does not show is not asked for."""

from __future__ import annotations

import pytest

from cli.standin import Standin
from view.samples import sample

MODELS = "modeldeployments.canarium.dev"
_FORBIDDEN = (
    'Error from server (Forbidden): {0} is forbidden: User "ann" cannot list resource "{0}" in API '
    'group "" in the namespace "demo"'
)


def only(kubectl: Standin, *kinds: str) -> None:
    """Lets the user read the model and these kinds (with their resources)."""
    items, _ = sample("step-pause")
    model = next(x for x in items if x["kind"] == "ModelDeployment")
    kubectl.answers("get", MODELS, out=model)
    names = {"pods": "Pod", "controllerrevisions.apps": "ControllerRevision"}
    for resource in kinds:
        listed = [x for x in items if x["kind"] == names[resource]]
        kubectl.answers("get", resource, out={"kind": "List", "items": listed})
    kubectl.answers("logs", out="a line\n")
    kubectl.fails(_FORBIDDEN.format("services"), "get")


def test_logs_need_only_pods(kubectl: Standin) -> None:
    only(kubectl, "pods")
    done = kubectl.run("logs", "fraud")
    assert (done.code, done.err) == (0, "")
    assert "a line" in done.out


@pytest.mark.parametrize("words", [("history", "fraud"), ("diff", "fraud")])
def test_history_and_differences_need_only_the_records(
    kubectl: Standin, words: tuple[str, ...]
) -> None:
    only(kubectl, "controllerrevisions.apps")
    done = kubectl.run(*words)
    assert done.code == 0
    assert "jgpcfw9h" in done.out
    assert done.err == "The current traffic is not shown, since you may not read its object.\n"


def test_history_without_records_has_the_outcomes_of_the_status(kubectl: Standin) -> None:
    only(kubectl)
    done = kubectl.run("history", "fraud")
    assert done.code == 0
    assert "jgpcfw9h" in done.out
    assert "may not list them: controllerrevisions.apps" in done.err


def test_differences_without_records_are_forbidden(kubectl: Standin) -> None:
    only(kubectl)
    done = kubectl.run("diff", "fraud")
    assert (done.code, done.out) == (5, "")
    assert "is forbidden" in done.err
    assert "no second revision" not in done.err
