"""Any JSON in place of the status or of a child gives a tree: the objects may be of an operator
that is older or newer, or edited by hand."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canarium.view.commands import COMMANDS
from canarium.view.difference import differences, usual_pair
from canarium.view.events import revisions_of
from canarium.view.explanation import explanations
from canarium.view.fleet import fleet
from canarium.view.history import history
from canarium.view.inference import origin, usual_request
from canarium.view.model import view
from canarium.view.objects import Objects
from canarium.view.revisions import role_of
from canarium.view.tree import to_json
from canarium_cli.output.tree_text import tree_lines
from view.samples import SAMPLES, sample

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    if isinstance(value, dict):
        for key in value:
            found += _paths(value[key], (*path, key))
    elif isinstance(value, list):
        for index in range(len(value)):
            found += _paths(value[index], (*path, index))
    return found


#: Every place in the samples, without those that identify the object.
_PLACES = [
    (name, path)
    for name in SAMPLES
    for path in _paths(sample(name)[0])
    if len(path) > 1 and path[1] != "kind"
]


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(st.sampled_from(_PLACES), _JSON)
def test_no_value_breaks_the_view(place: tuple[str, tuple[Any, ...]], value: Any) -> None:
    name, path = place
    items, now = sample(name)
    items = copy.deepcopy(items)
    at: Any = items
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    found = Objects.from_items(items)
    tree = view(found, now, old=10)
    assert tree_lines(tree, now)
    assert to_json(tree)["phase"]
    explanations(tree)
    entries = {x.revision: x for x in history(found, next(iter(found.services), None), now)}
    for record in found.records:
        assert not differences(record, record, entries, pod=True)
    usual_pair(found.model, found)
    for revision in entries:
        usual_request(found, revision)
        role_of(found.model, revision)
    origin(found, {}, '{"model_version": "v1"}')
    revisions_of(found)
    for command in COMMANDS.values():
        command.traffic(found.model)
    assert len(fleet([found.model], now)) == 1
