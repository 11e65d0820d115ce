"""`logs`: which pods and containers are read, and the message where there is nothing to read."""

from __future__ import annotations

from typing import Any

import pytest

from cli.standin import Standin
from view.samples import sample

MODELS = "modeldeployments.canarium.dev"


def cluster(kubectl: Standin, name: str, without: str = "none") -> list[dict[str, Any]]:
    """Answers with the objects of a sample, but for pods of the revision `without`; its pods."""
    items = [
        x
        for x in sample(name)[0]
        if x["kind"] != "Pod" or x["metadata"]["labels"]["canarium.dev/revision"] != without
    ]
    model = next(x for x in items if x["kind"] == "ModelDeployment")
    kubectl.answers("get", MODELS, out=model)
    kubectl.lists(model)
    stored = [x for x in items if x["kind"] == "ControllerRevision"]
    rest = [x for x in items if x["kind"] not in ("ModelDeployment", "ControllerRevision")]
    kubectl.answers("get", "controllerrevisions.apps", out={"kind": "List", "items": stored})
    kubectl.answers("get", out={"kind": "List", "items": rest})
    return [x for x in items if x["kind"] == "Pod"]


def test_each_line_has_the_role_and_the_pod(kubectl: Standin) -> None:
    pods = cluster(kubectl, "step-pause")
    kubectl.answers("logs", out="one\ntwo\n")
    done = kubectl.run("logs", "fraud", "--candidate", "--since", "5m", "--tail", "2")
    assert (done.code, done.err) == (0, "")
    (candidate,) = [
        x["metadata"]["name"]
        for x in pods
        if x["metadata"]["labels"]["canarium.dev/revision"] == "4nb6hnp6"
    ]
    assert done.out == f"[Candidate {candidate}] one\n[Candidate {candidate}] two\n"
    read = [x for x in kubectl.calls if "logs" in x]
    assert [x[x.index("logs") :] for x in read] == [
        ["logs", candidate, "--container=server", "--since=5m", "--tail=2"]
    ]


def test_without_a_role_the_logs_of_all_pods_are_read(kubectl: Standin) -> None:
    pods = cluster(kubectl, "step-pause")
    kubectl.answers("logs", out="x\n")
    done = kubectl.run("logs", "fraud")
    assert len(done.out.splitlines()) == len(pods) == 4
    assert {x.split()[0] for x in done.out.splitlines()} == {"[Candidate", "[Stable"}


def test_logs_of_deleted_pods_are_replaced_by_what_the_operator_kept(kubectl: Standin) -> None:
    cluster(kubectl, "rolled-back", without="mxclk5qg")
    done = kubectl.run("logs", "fraud", "--failed")
    assert done.code == 4
    assert "The pods of the failed revision mxclk5qg are deleted" in done.err
    assert "ServerExited: the server exited with code 1" in done.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--fetch"], "in which the fetcher has run"),
        (["--previous"], "that was restarted. Try without --previous"),
        (["-c", "absent"], "in which container absent has run"),
        (["--candidate"], "fraud has no pods of role candidate"),
    ],
)
def test_nothing_to_read_is_not_found(kubectl: Standin, words: list[str], message: str) -> None:
    cluster(kubectl, "ready")
    done = kubectl.run("logs", "fraud", *words)
    assert done.code == 4
    assert message in done.err
    assert not any("logs" in x for x in kubectl.calls)


def test_one_pod_that_cannot_be_read_does_not_hide_the_others(kubectl: Standin) -> None:
    pods = cluster(kubectl, "ready")
    names = sorted(x["metadata"]["name"] for x in pods)
    kubectl.fails('Error from server (NotFound): pods "x" not found', "logs", names[0])
    kubectl.answers("logs", out="fine\n")
    done = kubectl.run("logs", "fraud")
    assert done.code == 0
    assert len(done.out.splitlines()) == len(names) - 1
    assert names[0] in done.err


def test_right_to_read_logs_is_missing(kubectl: Standin) -> None:
    cluster(kubectl, "ready")
    kubectl.fails('Error from server (Forbidden): pods "x" is forbidden', "logs")
    assert kubectl.run("logs", "fraud").code == 5


@pytest.mark.parametrize("words", [["--fetch", "-c", "x"], ["-f", "--previous"]])
def test_options_that_exclude_each_other(kubectl: Standin, words: list[str]) -> None:
    assert kubectl.run("logs", "fraud", *words).code == 2


def test_log_that_cannot_be_read_beside_others_is_an_exit_code(kubectl: Standin) -> None:
    cluster(kubectl, "ready")
    kubectl.fails('Error from server (Forbidden): pods "x" is forbidden', "logs", once=True)
    kubectl.answers("logs", out="a line\n")
    done = kubectl.run("logs", "fraud")
    assert done.code == 5
    assert "a line" in done.out
    assert len(done.err.splitlines()) == 1
    assert "Ask for the right" in done.err


def test_pod_that_was_deleted_meanwhile_does_not_fail_logs(kubectl: Standin) -> None:
    cluster(kubectl, "ready")
    kubectl.fails('Error from server (NotFound): pods "x" not found', "logs", once=True)
    kubectl.answers("logs", out="a line\n")
    assert kubectl.run("logs", "fraud").code == 0
