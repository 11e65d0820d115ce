"""Tables with the text of other people in them: columns stay straight, and rows stay rows."""

from __future__ import annotations

import pytest

from canarium_cli.output.lines import plain, table, width_of
from cli.standin import Standin
from cli.test_following import MODELS, model


@pytest.mark.parametrize(
    ("text", "width"), [("fraud", 5), ("モデル", 6), ("詐欺-2", 6), ("e\u0301", 1), ("😀", 2)]
)
def test_width_is_that_of_the_terminal(text: str, width: int) -> None:
    assert width_of(text) == width


def test_columns_are_straight_beside_wide_characters() -> None:
    head, first, second = map(plain, table(["NAME", "AGE"], [["モデル", "1s"], ["fraud", "2s"]]))
    assert (head, first, second) == ("NAME     AGE", "モデル   1s", "fraud    2s")


def test_version_with_line_breaks_cannot_imitate_a_row(kubectl: Standin) -> None:
    version = "1\npayments   RolledBack\t9"
    kubectl.lists(model("Ready", version=version))
    done = kubectl.run("list")
    assert len(done.out.splitlines()) == 2
    assert "1 payments RolledBack 9" in done.out


def test_status_before_the_operator_has_written_one_is_explained(kubectl: Standin) -> None:
    found = model("")
    found["status"] = {}
    kubectl.answers("get", MODELS, out=found)
    kubectl.fails("error: not asked for", "get")
    done = kubectl.run("status", "fraud", "--timeout", "0.1")
    assert "Pending: The operator has not written a status yet." in done.out
