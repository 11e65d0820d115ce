"""Any annotation and label of a child can be read (H4, H11)."""

from __future__ import annotations

import os
import time
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from canarium import GROUP
from canarium.core.facts.traffic_record import ANNOTATIONS
from canarium.engine.cache import pods, projections, routes
from canarium.render import labels
from sweep import first

_QUICK = 2.0
_NOTES = (*ANNOTATIONS.values(), *(f"{GROUP}/{n}" for n in ("served", "traffic", "adopt")))
_FACTS = (
    "verdict",
    "failure",
    "artifact",
    "signature",
    "images",
    "commands",
    "applied",
)
_NAMES = (*_NOTES, *(f"{GROUP}/{name}" for name in _FACTS))

#: Stands for a text that is too long to be printed by a failing test.
LONG = {"nested": "[" * 50_000, "pairs": "a=b," * 20_000, "words": "x " * 40_000}

_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)
_times = st.sampled_from(("2024-99-99T99:99:99Z", "9999-12-31T23:59:59Z", "soon", "0", "-1"))
_values = st.one_of(
    st.text(max_size=60),
    _times,
    st.builds(lambda value: orjson.dumps(value).decode(), _json),
    st.sampled_from((*LONG, "\x00", "null", "{}", "[]")),
)
_notes = st.dictionaries(st.sampled_from(_NAMES), _values, max_size=6)
_marks = st.dictionaries(
    st.sampled_from((labels.REVISION, labels.COLOR, labels.MANAGED_BY)), _values, max_size=3
)


def _meta(notes: dict[str, str], marks: dict[str, str]) -> dict[str, Any]:
    return {
        "name": "m-a",
        "namespace": "ns",
        "uid": "u",
        "resourceVersion": "1",
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "labels": {labels.MODEL: "m", **marks},
        "annotations": notes,
    }


_TEMPLATE = {"metadata": {}, "spec": {"containers": [{"name": "server"}]}}
#: Kind → how it is read, and the rest of the object.
KINDS: dict[str, tuple[Any, dict[str, Any]]] = {
    "Service": (projections.service, {"spec": {"selector": {labels.MODEL: "m"}}}),
    "ControllerRevision": (projections.record, {"revision": 1, "data": {}}),
    "Deployment": (projections.deployment, {"spec": {"template": _TEMPLATE}}),
    "Pod": (pods.pod, {}),
    "HTTPRoute": (
        routes.route,
        {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "spec": {}},
    ),
}


@pytest.mark.parametrize("kind", first(KINDS))
@settings(
    max_examples=int(os.environ.get("CANARIUM_FUZZ", "60")),
    deadline=None,
    derandomize="CANARIUM_FUZZ" not in os.environ,
    suppress_health_check=list(HealthCheck),
)
@given(notes=_notes, marks=_marks)
def test_any_annotation_and_label_is_read_quickly(
    kind: str, notes: dict[str, str], marks: dict[str, str]
) -> None:
    read, rest = KINDS[kind]
    notes = {name: LONG.get(value, value) for name, value in notes.items()}
    began = time.process_time()
    found = read({"metadata": _meta(notes, marks), **rest})
    assert time.process_time() - began < _QUICK
    assert (found.name, found.model) == ("m-a", "m")
