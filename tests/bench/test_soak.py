"""What counts as growth in a soak, and which requests are harmed."""

from __future__ import annotations

import random

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from bench.soak.faults import rule
from bench.soak.samples import LIMITS, Sample, growth

FLAT = dict.fromkeys(LIMITS, 100e6)


def samples(what: str, values: list[float]) -> list[Sample]:
    return [Sample(float(at), {**FLAT, what: value}) for at, value in enumerate(values)]


@pytest.mark.parametrize("what", LIMITS)
def test_what_doubles_from_the_second_quarter_to_the_last_has_grown(what: str) -> None:
    grown = growth(samples(what, [100.0, 1e8, 1.5e8, 2e8]))
    assert [one.what for one in grown if not one.passed] == [what]


@pytest.mark.parametrize("what", LIMITS)
def test_what_rises_in_the_first_quarter_only_has_not_grown(what: str) -> None:
    assert all(one.passed for one in growth(samples(what, [1.0, 2e8, 2e8, 2e8])))


def test_queue_that_is_empty_for_a_moment_has_not_grown() -> None:
    assert all(one.passed for one in growth(samples("oldest key", [0.0, 0.0, 3.0, 4.0])))


def test_fewer_samples_than_quarters_are_refused() -> None:
    with pytest.raises(ValueError, match="3 samples"):
        growth(samples("memory", [1.0, 1.0, 1.0]))


def requests(method: str) -> list[web.Request]:
    path = "/apis/apps/v1/namespaces/a/deployments/m"
    # The rule reads it and keeps nothing, so one is enough; making it takes two milliseconds.
    return [make_mocked_request(method, path)] * 2_000


def test_one_write_of_ten_is_harmed_and_no_read() -> None:
    decide = rule(random.Random(1))
    assert 140 < sum(decide(write) is not None for write in requests("PATCH")) < 260
    assert not any(decide(read) for read in requests("GET"))
