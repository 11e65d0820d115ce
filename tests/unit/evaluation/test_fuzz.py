"""Any input of tenants and servers has a documented outcome, in bounded time and space."""

from __future__ import annotations

import contextlib
import os
import time
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from canarium.core.context.commands import COMMANDS, NAMED
from canarium.engine.cache.model_deployments import commands
from canarium.evaluation import tasks
from canarium.evaluation.errors import ErrorReason, EvaluationError
from canarium.evaluation.exposition import MOST_SERIES, selected
from canarium.render.errors import RuntimeInvalid
from canarium.render.jinja import ALL_RESULTS, leaves
from canarium.signals.query_template import BadTemplate, filled

pytestmark = pytest.mark.slow
#: Seconds of CPU for inputs of the sizes below, which none should need to be ended by a limit.
_QUICK = 2.0
fuzzed = settings(
    max_examples=int(os.environ.get("CANARIUM_FUZZ", "150")),
    deadline=None,
    derandomize="CANARIUM_FUZZ" not in os.environ,
    suppress_health_check=list(HealthCheck),
)
FAULTS = {fault.value for fault in ErrorReason}

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False)
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)
#: Keywords of JSON Schema with any value, right or wrong, and references to themselves.
keywords = st.sampled_from(
    ["type", "$ref", "$defs", "properties", "items", "prefixItems", "anyOf", "allOf", "oneOf",
     "not", "if", "then", "else", "enum", "const", "minimum", "maxLength", "uniqueItems",
     "contains", "required", "additionalProperties", "$dynamicRef", "$anchor", "multipleOf",
     "format", "$id"]
)  # fmt: skip
references = st.sampled_from(["#", "#/$defs/a", "#/properties", "#/items", "http://x/y", "#a", "%"])
schemas = st.recursive(
    st.dictionaries(keywords, json_values | references, max_size=3),
    lambda inner: st.dictionaries(
        keywords,
        inner | st.lists(inner, max_size=3) | st.dictionaries(st.just("a"), inner),
        max_size=3,
    ),
    max_leaves=6,
)
#: No pattern: whether one ends is the limit's business (test_pool).
paths = st.text(alphabet="$.*[]?@()<>=!&|'\"ab01:-, \\", max_size=60).map(
    lambda t: f"${t}"
) | st.sampled_from(
    [
        "$[?" + "(" * 200,
        "$" + "..*" * 3,
        "$" + "[0]" * 120,
        "$[?@.a==@.b]",
        "$[99999999999999999999]",
    ]
)
pages = st.lists(
    st.binary(max_size=60)
    | st.text(alphabet='a{}="\\,le_ \t#+-.0159NIenf\r\x00é', max_size=60).map(
        lambda t: f"a{t}".encode()
    ),
    max_size=30,
).map(b"\n".join)


@contextlib.contextmanager
def bounded() -> Any:
    began = time.process_time()
    yield
    assert time.process_time() - began < _QUICK


def carried_out(task: str, *blobs: bytes, **arguments: Any) -> dict[str, Any]:
    """The header of a task's answer; its fault is one of the documented ones."""
    header = orjson.loads(orjson.dumps({"task": task, **arguments}))
    with bounded():
        answer: dict[str, Any] = orjson.loads(tasks.done(header, blobs)[0])
    assert answer.get("fault", ErrorReason.INVALID) in FAULTS
    assert len(answer.get("text", "")) <= 1000
    return answer


@pytest.mark.rule("R31")
@fuzzed
@given(schemas, json_values)
def test_schemas_and_answers(schema: dict[str, Any], document: Any) -> None:
    checked = carried_out("expressions", checked=[{"schema": schema}])
    assert "faults" in checked
    carried_out("expectation", orjson.dumps(document), schema=schema)


@pytest.mark.rule("R31")
@fuzzed
@given(paths, json_values, st.binary(max_size=40))
def test_paths_and_answers(path: str, document: Any, odd: bytes) -> None:
    for body in (orjson.dumps(document), odd):
        carried_out("expectation", body, json=[{"path": path, "value": document}])
        carried_out("numbers", body, paths=[path])
        carried_out("comparison", body, body, path=path, tolerance=0.1)
        carried_out("query", body)
        carried_out("requests", body)


@pytest.mark.rule("R31")
@fuzzed
@given(pages, st.text(max_size=20))
def test_metrics_pages_and_label_patterns(page: bytes, pattern: str) -> None:
    selectors = [
        {"key": "1", "name": "a", "labels": []},
        {"key": "2", "name": "a", "labels": [["l", pattern.replace("*", "").replace("+", "")]]},
    ]
    with bounded():
        try:
            found = selected(page, selectors)
        except EvaluationError as error:
            if error.reason not in (
                ErrorReason.UNREADABLE,
                ErrorReason.INVALID,
            ):
                raise
            return
    assert sum(map(len, found.values())) <= 2 * MOST_SERIES
    for series in found.values():
        for bound, _ in series:
            assert bound is None or float(bound) == float(bound)


@pytest.mark.rule("R31")
@fuzzed
@given(
    st.text(alphabet="{}%|~+()[]'\"abifels 019.-#", max_size=200)
    | st.integers(1, 4000).map(lambda n: "{{ " + "(" * n + " }}")
    | st.integers(1, 8000).map(lambda n: "{{ " + "9" * n + " }}")
)
def test_templates(source: str) -> None:
    context = {"a": "x", "b": {"a": 1}}
    with bounded():
        with contextlib.suppress(BadTemplate):
            filled(source[:4096], {"a": "x"})
        with contextlib.suppress(RuntimeInvalid):
            text = leaves({"a": [source]}, context, "r")["a"][0]
            assert len(text) <= max(ALL_RESULTS, len(source))


@pytest.mark.rule("R16", "R31")
@fuzzed
@given(
    st.dictionaries(
        st.text(max_size=70).map(lambda t: f"canarium.dev/{t}")
        | st.sampled_from([f"canarium.dev/{name}" for name in COMMANDS])
        | st.text(max_size=20),
        st.text(max_size=300),
        max_size=60,
    )
)
def test_annotations(annotations: dict[str, str]) -> None:
    found = commands({"metadata": {"annotations": annotations}})
    known = {name for name in COMMANDS if f"canarium.dev/{name}" in annotations}
    assert known <= {name for name, _ in found}
    assert len(found) <= len(known) + NAMED + 2
    assert found == commands({"metadata": {"annotations": dict(reversed(annotations.items()))}})


def test_thousands_of_annotations_cost_milliseconds() -> None:  # H11
    notes = {f"canarium.dev/{n}": "x" for n in range(13_000)} | {"canarium.dev/abort": "r/1"}
    began = time.process_time()
    found = commands({"metadata": {"annotations": notes}})
    assert time.process_time() - began < 0.2
    assert found[0] == ("abort", "r/1")
