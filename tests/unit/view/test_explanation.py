"""What a person reads about a model: each fact once."""

from __future__ import annotations

from dataclasses import replace

from canarium.view.explanation import explanations
from canarium.view.model import view
from view.samples import objects


def test_failure_is_explained_once_although_stalled_repeats_it() -> None:
    tree = view(*objects("rolled-back"), old=10)
    assert any(c.type == "Stalled" and c.status == "True" for c in tree.conditions)
    assert [x.subject for x in explanations(tree)] == ["failure of revision mxclk5qg"]


def test_stalled_for_another_reason_than_the_failure_is_explained() -> None:
    tree = view(*objects("rolled-back"), old=10)
    changed = (
        replace(c, reason="RuntimeNotFound") if c.type == "Stalled" else c for c in tree.conditions
    )
    found = explanations(replace(tree, conditions=tuple(changed)))
    assert [x.subject for x in found][1:] == ["condition Stalled"]


def test_failure_is_explained_with_its_step_and_weight() -> None:
    tree = view(*objects("rolled-back"), old=10)
    assert tree.failure is not None
    at_step = replace(tree, failure=replace(tree.failure, weight=50, step="2/3"))
    assert "at step 2/3, with weight 50 %" in explanations(at_step)[0].evidence
    in_bake = replace(tree, failure=replace(tree.failure, weight=100))
    assert "; with weight 100 %" in explanations(in_bake)[0].evidence
    assert "weight" not in explanations(tree)[0].evidence
