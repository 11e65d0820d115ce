"""Metrics text: only what was asked for, by name and label."""

from __future__ import annotations

import time

import pytest

from canarium.evaluation.errors import ErrorReason, EvaluationError
from canarium.evaluation.exposition import MOST_SERIES, SeriesKey, selected

TEXT = """\
# HELP rest_server_requests HTTP requests
# TYPE rest_server_requests counter
rest_server_requests_total{method="POST",path="/v2/models/a/infer",status_code="200"} 41.0
rest_server_requests_total{method="POST",path="/v2/models/a/infer",status_code="500"} 2.0
rest_server_requests_total{method="GET",path="/v2/health/ready",status_code="200"} 900.0
# TYPE took histogram
took_bucket{le="0.1"} 3
took_bucket{le="+Inf"} 5
took_sum 1.5
took_count 5
vllm:num_requests_waiting{model_name="m"} 7
broken_gauge NaN
"""


def parse(
    text: str, *asked: tuple[str, tuple[tuple[str, str], ...]]
) -> list[dict[SeriesKey, float]]:
    """The series of each selector (name, labels)."""
    selectors = [
        {"key": str(i), "name": name, "labels": labels} for i, (name, labels) in enumerate(asked)
    ]
    return list(selected(text.encode(), selectors).values())


def total(*labels: tuple[str, str]) -> float:
    return sum(parse(TEXT, ("rest_server_requests_total", labels))[0].values())


def test_series_are_selected_by_patterns_that_match_whole() -> None:
    assert total() == 943
    assert total(("status_code", "5..")) == 2
    assert total(("status_code", "5")) == 0
    assert total(("path", ".*/infer"), ("status_code", "2..|5..")) == 43
    assert total(("no_such", "")) == 943, "an absent label is empty, as in PromQL"


def test_buckets_keep_their_bounds_and_names_with_colons_work() -> None:
    took, waiting, none = parse(
        TEXT, ("took_bucket", ()), ("vllm:num_requests_waiting", ()), ("none", ())
    )
    assert took == {("0.1", ""): 3.0, ("+Inf", ""): 5.0}
    assert list(waiting.values()) == [7.0]
    assert none == {}


def test_series_are_distinguished_by_all_labels_in_any_order() -> None:
    (found,) = parse('a{x="1",y="2"} 1\na{y="2",x="1"} 2\na{x="1"} 3\na 4', ("a", ()))
    assert sorted(found.values()) == [2, 3, 4]


def test_escapes_timestamps_and_exemplars_are_read() -> None:
    text = 'a{l="x\\"\\\\\\n"} +Inf 1395066363000\na{l="y",} 5 # {trace="1"} 0.5\n'
    (found,) = parse(text, ("a", (("l", 'x"\\\\\n|y'),)))
    assert sorted(found.values()) == [5, float("inf")]


@pytest.mark.parametrize(
    "text",
    [
        "requests{code= 5",
        "requests five",
        "requests{} 1 2 3 4 x",
        'requests{a="b"',
        "requests{} 1_000",
        "requests ",
        'requests{le="abc"} 1',
        'requests{le="NaN"} 1',
    ],
)
def test_text_that_is_not_metrics_is_an_error(text: str) -> None:
    with pytest.raises(EvaluationError, match="text format") as caught:
        parse(text, ("requests", ()))
    assert caught.value.reason is ErrorReason.UNREADABLE


def test_pattern_that_is_wrong_is_an_error() -> None:
    with pytest.raises(EvaluationError, match=r"label pattern '\('") as caught:
        parse('a{l="x"} 1', ("a", (("l", "("),)))
    assert caught.value.reason is ErrorReason.INVALID


@pytest.mark.rule("R31")
def test_page_with_too_many_series_is_refused_before_it_is_parsed() -> None:  # H3
    lines = "".join(f'requests_total{{path="/{i}",code="200"}} {i}\n' for i in range(130_000))
    began = time.process_time()
    with pytest.raises(EvaluationError) as caught:
        parse(lines, ("requests_total", ()))
    assert caught.value.reason is ErrorReason.TOO_MANY_SERIES
    assert time.process_time() - began < 1
    few = "".join(f"other_{i} 1\n" for i in range(100_000)) + "requests_total 5\n"
    assert parse(few, ("requests_total", ())) == [{(None, ""): 5.0}]
    assert MOST_SERIES == 5_000


def test_page_with_one_series_too_many_is_refused() -> None:  # H3
    lines = [f'requests_total{{path="/{i}"}} {i}\n' for i in range(MOST_SERIES + 1)]
    (most,) = parse("".join(lines[1:]), ("requests_total", ()))
    assert len(most) == MOST_SERIES
    with pytest.raises(EvaluationError, match=f"more than {MOST_SERIES} series of the metrics"):
        parse("".join(lines), ("requests_total", ()))


@pytest.mark.rule("R31")
def test_series_of_metrics_that_only_begin_with_the_name_are_skipped() -> None:  # H3
    page = b"a 1\n" + b"a_total 2\n" * (MOST_SERIES + 1)
    selectors = [{"key": "k", "name": "a", "labels": []}]
    assert list(selected(page, selectors)["k"].values()) == [1.0]


@pytest.mark.rule("R31")
def test_values_that_many_selectors_share_are_bounded_together() -> None:  # H3
    page = "".join(f'requests_total{{path="/{i}"}} {i}\n' for i in range(4_000)).encode()
    selectors = [{"key": f"k{n}", "name": "requests_total", "labels": []} for n in range(3)]
    with pytest.raises(EvaluationError, match="more than 10000 values of the page") as caught:
        selected(page, selectors)
    assert caught.value.reason is ErrorReason.TOO_MANY_SERIES
    assert {len(found) for found in selected(page, selectors[:2]).values()} == {4_000}
