"""The tree of each sample, as text and as JSON, is what `tests/golden/view` holds.

To write the files again: `CANARIUM_GOLDEN=write pytest tests/unit/view/test_golden.py`, then read
the difference.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from canarium.view.explanation import explanations
from canarium.view.model import view
from canarium.view.tree import to_json
from canarium_cli.output.lines import plain
from canarium_cli.output.tree_text import tree_lines
from view.samples import SAMPLES, objects

_GOLDEN = Path(__file__).parents[2] / "golden" / "view"


@pytest.mark.parametrize("name", SAMPLES)
def test_tree_as_text(name: str) -> None:
    found, now = objects(name)
    lines = tree_lines(view(found, now, old=10), now)
    _compare(f"{name}.txt", "\n".join(plain(spans) for spans in lines) + "\n")


@pytest.mark.parametrize("name", SAMPLES)
def test_tree_as_json(name: str) -> None:
    found, now = objects(name)
    tree = view(found, now, old=10)
    whole = {"tree": to_json(tree), "explanations": to_json(explanations(tree))}
    _compare(f"{name}.json", json.dumps(whole, indent=1, ensure_ascii=False) + "\n")


def _compare(name: str, text: str) -> None:
    path = _GOLDEN / name
    if os.environ.get("CANARIUM_GOLDEN") == "write":
        path.write_text(text)
    assert text == path.read_text()
