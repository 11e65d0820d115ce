"""`approve` and `reject`: what is written about which gate, and what is refused before (R27)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from canarium.view.explanation import explanations
from canarium.view.model import view
from canarium.view.objects import Objects
from canarium_cli.output.lines import plain
from canarium_cli.output.tree_text import tree_lines
from cli.standin import Standin
from cli.test_commands import ANNOTATE, GET, model

pytestmark = pytest.mark.rule("R27")
WHOAMI = ("auth", "whoami")
REVIEW = {"status": {"userInfo": {"username": "alice"}}}
RISK = {
    "name": "risk",
    "kind": "Approval",
    "before": "Weight",
    "weight": 50,
    "state": "Waiting",
    "startTime": "2026-01-01T00:00:00.000Z",
}
WEB = {**RISK, "kind": "Web", "message": "https://risk.example: status 500"}
BOARD = {"name": "board", "kind": "Approval", "before": "Promotion", "state": "Pending"}


def at_gates(*gates: dict[str, Any]) -> dict[str, Any]:
    return model(gates=list(gates), waitingFor={"reason": "WaitingForApproval", "startTime": "x"})


def test_decision_names_the_gate_that_waits_the_user_and_the_comment(kubectl: Standin) -> None:
    kubectl.answers(*GET, out=at_gates(RISK, BOARD))
    kubectl.answers(*WHOAMI, out=REVIEW)
    kubectl.answers(*ANNOTATE)
    done = kubectl.run("approve", "fraud", "--comment", "read = fine", "--no-wait")
    assert (done.code, done.err) == (0, "")
    words = kubectl.calls[-1]
    assert words[:4] == ["--namespace=risk", *ANNOTATE, "fraud"]
    assert words[4].startswith("canarium.dev/approve=bbbb2222/risk:")
    assert words[5:8] == [
        "canarium.dev/approval-by=alice",
        "canarium.dev/approval-comment=read = fine",
        "--overwrite",
    ]


def test_name_and_comment_of_an_earlier_decision_are_removed(kubectl: Standin) -> None:
    kubectl.answers(*GET, out=at_gates(RISK))
    kubectl.fails("error: unknown command", *WHOAMI)
    kubectl.answers(*ANNOTATE)
    assert kubectl.run("reject", "fraud", "--no-wait").code == 0
    words = kubectl.calls[-1]
    assert words[4].startswith("canarium.dev/reject=bbbb2222/risk:")
    assert words[5:7] == ["canarium.dev/approval-by-", "canarium.dev/approval-comment-"]


def test_answer_of_the_operator_to_the_decision_is_the_exit_code(kubectl: Standin) -> None:
    kubectl.answers(*GET, out=at_gates(RISK))
    kubectl.answers(*WHOAMI, out=REVIEW)
    kubectl.answers(*ANNOTATE)
    assert kubectl.run("approve", "fraud", "--timeout", "0.2s").code == 3


@pytest.mark.parametrize(
    ("gates", "words", "code", "text"),
    [
        ((BOARD,), (), 7, "No gate of fraud waits for a decision"),
        ((RISK, {**BOARD, "state": "Waiting"}), (), 2, "name one: --gate risk|board"),
        ((RISK, BOARD), ("--gate", "legal"), 7, "fraud has no gate legal; it has risk, board."),
        ((), ("--gate", "legal"), 7, "fraud has no gate legal; it has none."),
        ((WEB,), (), 7, "No gate of fraud waits for a decision"),
        ((WEB,), ("--gate", "risk"), 7, "No person decides about gate risk, whose kind is Web."),
        ((RISK,), ("--comment", "x" * 1001), 2, "The comment has 1001 characters"),
    ],
    ids=["none-waits", "two-wait", "unknown", "no-gates", "web", "named-web", "long-comment"],
)
def test_decision_that_cannot_count_is_not_written(
    kubectl: Standin,
    gates: tuple[dict[str, Any], ...],
    words: tuple[str, ...],
    code: int,
    text: str,
) -> None:
    kubectl.answers(*GET, out=at_gates(*gates))
    kubectl.answers(*WHOAMI, out=REVIEW)
    done = kubectl.run("approve", "fraud", *words)
    assert done.code == code
    assert text in done.err
    assert not any("annotate" in call for call in kubectl.calls)


def test_tree_shows_each_gate_with_who_decided_and_why() -> None:
    passed = {**RISK, "state": "Passed", "time": "2026-01-02T00:00:00.000Z", "by": "alice"}
    ended = {"name": "eval", "kind": "Job", "state": "Passed", "results": '{"auc":0.9}'}
    eval_gate = {**passed, **ended, "by": "Job/fraud-1"}
    tree = view(Objects.of(at_gates({**passed, "message": "fine"}, BOARD, eval_gate), ()), 0.0)
    lines = [plain(spans).split() for spans in tree_lines(tree, 0.0)]
    assert ["GATE", "KIND", "BEFORE", "STATE", "SINCE", "DECISION"] in lines
    assert [
        *("risk", "Approval", "Weight", "50", "Passed"),
        *("2026-01-02T00:00:00.000Z", "alice:", "fine"),
    ] in lines
    assert ["board", "Approval", "Promotion", "Pending", "-", "-"] in lines
    assert any(words[-2:] == ["Job/fraud-1:", '{"auc":0.9}'] for words in lines)


def test_web_gate_without_an_answer_is_explained_with_what_was_answered() -> None:
    status = model(gates=[WEB], waitingFor={"reason": "GateUnavailable", "startTime": "x"})
    tree = view(Objects.of(status, ()), 0.0)
    (explanation,) = explanations(tree)
    assert explanation.reason == "GateUnavailable"
    assert explanation.evidence.endswith("https://risk.example: status 500")
    assert (tree.urgency.value, tree.attention) == ("Blocked", "GateUnavailable")


def test_gate_that_waits_is_explained_and_needs_a_person() -> None:
    tree = view(Objects.of(at_gates(RISK, BOARD), ()), 0.0)
    assert tree.attention == "WaitingForApproval"
    found = explanations(tree)
    assert [x.subject for x in found] == ["gate risk"]
    assert found[0].evidence == "holds Weight 50 since 2026-01-01T00:00:00.000Z"
    assert "canarium.dev/approve" in found[0].advice


@pytest.fixture
def gated(tmp_path: Path) -> Path:
    body = {
        "apiVersion": "canarium.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": "fraud", "namespace": "risk"},
        "spec": {
            "model": {"version": "2"},
            "runtime": {"image": "model:2", "readiness": {"path": "/ready"}},
            "rollout": {
                "steps": [{"weight": 50, "pause": "1m"}],
                "gates": [
                    {"name": "risk", "before": "Weight", "weight": 50, "approval": {}},
                    {"name": "end", "before": "Finish", "approval": {}},
                ],
            },
        },
    }
    path = tmp_path / "fraud.yaml"
    path.write_text(yaml.safe_dump(body))
    return path


def test_simulation_shows_each_gate_and_continues_as_if_approved(
    kubectl: Standin, gated: Path
) -> None:
    done = kubectl.run("simulate", "-f", str(gated), "-o", "json")
    assert done.code == 0, done.err
    moments = json.loads(done.out)
    messages = [moment["message"] for moment in moments]
    assert sum("waits for approval of gate risk before weight 50" in x for x in messages) == 1
    assert sum("of gate end before the end of the bake" in x for x in messages) == 1
    assert moments[-1]["phase"] == "Ready"


def test_plan_lists_the_gates_at_which_a_version_would_wait(kubectl: Standin, gated: Path) -> None:
    done = kubectl.run("plan", "-f", str(gated))
    assert "Waits at gate risk (Approval) before Weight 50." in done.out, done.err
    assert "Waits at gate end (Approval) before Finish." in done.out
