"""Metrics text: only what was asked for, by name and label."""

from __future__ import annotations

import pytest

from canarium.core.measures import Selector
from canarium.signals.exposition import Unreadable, parse

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


def total(*labels: tuple[str, str]) -> float:
    selector = Selector("rest_server_requests_total", labels)
    return sum(parse(TEXT, [selector])[selector.key].values())


def test_series_are_selected_by_patterns_that_match_whole() -> None:
    assert total() == 943
    assert total(("status_code", "5..")) == 2
    assert total(("status_code", "5")) == 0
    assert total(("path", ".*/infer"), ("status_code", "2..|5..")) == 43
    assert total(("no_such", "")) == 943, "an absent label is empty, as in PromQL"


def test_buckets_keep_their_bounds_and_names_with_colons_work() -> None:
    asked = [Selector("took_bucket"), Selector("vllm:num_requests_waiting"), Selector("none")]
    found = parse(TEXT, asked)
    assert found["took_bucket"] == {(("le", "0.1"),): 3.0, (("le", "+Inf"),): 5.0}
    assert list(found["vllm:num_requests_waiting"].values()) == [7.0]
    assert found["none"] == {}


@pytest.mark.parametrize("text", ["requests{code= 5", "requests five", "requests{} 1 2 3 4 x"])
def test_what_is_no_metrics_text_says_so(text: str) -> None:
    with pytest.raises(Unreadable, match="text format"):
        parse(text, [Selector("requests")])


def test_pattern_that_is_wrong_or_never_ends_is_an_error() -> None:
    with pytest.raises(Unreadable, match=r"label pattern '\('"):
        parse('a{l="x"} 1', [Selector("a", (("l", "("),))])
    evil = Selector("a", (("l", "(x|x)*[yz]"),))
    with pytest.raises(Unreadable, match="takes too long"):
        parse(f'a{{l="{"x" * 60}"}} 1', [evil])
