"""`rerun`: which gate's Job is run again, and what is refused before (R27)."""

from __future__ import annotations

from typing import Any

import pytest

from cli.standin import Standin
from cli.test_approvals import RISK, at_gates
from cli.test_commands import ANNOTATE, GET

pytestmark = pytest.mark.rule("R27")
EVAL = {**RISK, "name": "eval", "kind": "Job"}
BIAS = {**EVAL, "name": "bias"}


@pytest.mark.parametrize("words", [(), ("--gate", "eval")])
def test_order_names_the_gate_that_waits_for_its_job(
    kubectl: Standin, words: tuple[str, ...]
) -> None:
    kubectl.answers(*GET, out=at_gates(RISK, EVAL))
    kubectl.answers(*ANNOTATE)
    done = kubectl.run("rerun", "fraud", *words, "--no-wait")
    assert (done.code, done.err) == (0, "")
    sent = kubectl.calls[-1]
    assert sent[:4] == ["--namespace=risk", *ANNOTATE, "fraud"]
    assert sent[4].startswith("canarium.dev/rerun=bbbb2222/eval:")
    assert sent[5:] == ["--overwrite", *sent[6:]]
    assert not any("approval" in word for word in sent)


@pytest.mark.parametrize(
    ("gates", "words", "code", "text"),
    [
        ((RISK,), (), 7, "No gate of fraud waits for a Job, so there is nothing to run again"),
        (({**EVAL, "state": "Passed"},), (), 7, "No gate of fraud waits for a Job"),
        ((EVAL, BIAS), (), 2, "name one: --gate eval|bias"),
        ((EVAL,), ("--gate", "risk"), 7, "fraud has no gate risk; it has eval."),
        ((RISK,), ("--gate", "risk"), 7, "Gate risk has no Job: its kind is Approval."),
        ((), ("--gate", "risk"), 7, "fraud has no gate risk; it has none."),
    ],
)
def test_order_that_cannot_act_is_not_written(
    kubectl: Standin,
    gates: tuple[dict[str, Any], ...],
    words: tuple[str, ...],
    code: int,
    text: str,
) -> None:
    kubectl.answers(*GET, out=at_gates(*gates))
    done = kubectl.run("rerun", "fraud", *words)
    assert done.code == code
    assert text in done.err
    assert not any("annotate" in call for call in kubectl.calls)
