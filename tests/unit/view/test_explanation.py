"""What a person reads about a model: each fact once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from canarium.view.explanation import explanations
from canarium.view.model import view
from canarium.view.tree import Condition
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
    assert "; while it received 50 % of the traffic (step 2/3)" in explanations(at_step)[0].evidence
    in_bake = replace(tree, failure=replace(tree.failure, weight=100))
    assert explanations(in_bake)[0].evidence.count("while it received 100 % of the traffic;") == 1
    assert "traffic" not in explanations(tree)[0].evidence


def test_failure_before_the_first_weight_is_not_explained_as_one_with_traffic() -> None:
    tree = view(*objects("rolled-back"), old=10)
    assert tree.failure is not None
    before = replace(tree, failure=replace(tree.failure, weight=0, step="1/3"))
    assert "; while it received no traffic (step 1/3)" in explanations(before)[0].evidence
    assert "%" not in before.failure.position if before.failure else False


@pytest.mark.parametrize("kind", ["SourceResolved", "RegistryTagged", "NotificationsReady"])
def test_trouble_that_holds_nothing_up_is_explained_while_a_version_serves(kind: str) -> None:
    tree = view(*objects("ready"), old=10)
    assert explanations(tree) == ()
    condition = Condition(kind, "False", "SourceUnavailable", "refused", "2026-01-01T00:00:00Z")
    [found] = explanations(replace(tree, conditions=(*tree.conditions, condition)))
    assert (found.subject, found.evidence) == (f"condition {kind}", "refused")
    well = replace(condition, status="True")
    assert explanations(replace(tree, conditions=(*tree.conditions, well))) == ()
