"""H11: annotations of the operator that users edit cost bounded time, and raise no exception."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import pytest

from canarium.core.facts.images import merged, parse_images, parse_images_of
from canarium.core.facts.periods import STORED_PERIODS, all_periods, parse_periods
from canarium.core.facts.pods import Container
from canarium.core.facts.revision import Record
from canarium.core.health.containers import fetch_failure
from canarium.core.outcomes.failures import stored_failure

rule = pytest.mark.rule
DEEP = ("[" * 100_000, "[" * 2_000 + "]" * 2_000, '{"a":' * 2_000 + "1" + "}" * 2_000)
#: Characters of all annotations of an object together.
LONGEST = 256 << 10


def record(failure: str) -> Record:
    return Record("a", 1, "v1", "digest", {}, None, None, None, failure=failure)


@rule("R31")
@pytest.mark.parametrize("text", DEEP)
def test_deep_json_is_read_as_invalid(text: str) -> None:
    assert parse_images(text) == {}
    assert parse_images_of("a", text) == {}
    assert parse_periods(text) == ()
    assert stored_failure(record(text)) is None
    ended = Container(name="fetch", init=True, terminated="Error", exit_code=10, message=text)
    assert fetch_failure(ended) is not None


@rule("R31")
@pytest.mark.parametrize(
    "text", ['{"a": 5}', '{"a": [5]}', '{"a": {"b": 1}}', '[{"a": "b"}]', '{"a": [["b"]]}']
)
def test_images_of_another_form_are_ignored(text: str) -> None:
    assert parse_images(text) == {}


def _images() -> str:
    return json.dumps({"server": [f"{i:05x}" for i in range(LONGEST // 10)]})


def _containers() -> str:
    return json.dumps({f"{i:05x}": "a" for i in range(LONGEST // 14)})


@rule("R31")
@pytest.mark.parametrize("make", [_images, _containers])
def test_longest_list_of_images_is_merged_within_milliseconds(make: Callable[[], str]) -> None:
    text = make()
    began = time.process_time()
    for _ in range(10):
        merged((parse_images(text), parse_images(text)))
    # Without a limit, one merge took over a minute.
    assert (time.process_time() - began) / 10 < 0.1


@rule("R31")
def test_longest_list_of_periods_is_joined_within_milliseconds() -> None:
    def entries(name: str) -> str:
        found = [
            {"revision": name, "from": f"2026-01-01T00:00:{i % 60:02}.{i:06}Z", "promoted": at}
            for i in range(LONGEST // 100)
            if (at := f"2026-01-01T00:{i // 60 % 60:02}:{i % 60:02}.{i:06}Z")
        ]
        return json.dumps(found)

    texts = [entries(f"r{i}") for i in range(10)]
    read = [parse_periods(text) for text in texts]
    assert {len(x) for x in read} == {STORED_PERIODS}
    began = time.process_time()
    all_periods([x for one in read for x in one], ())
    assert time.process_time() - began < 1.0


@rule("R18")
def test_newest_periods_are_read() -> None:
    times = [f"2026-01-01T{i // 60:02}:{i % 60:02}:00Z" for i in range(STORED_PERIODS + 5)]
    read = parse_periods(json.dumps([{"revision": "a", "from": at} for at in times]))
    assert [x.began for x in read] == times[5:]


@rule("R31")
def test_failure_that_no_status_could_hold_is_ignored() -> None:
    failure = {"revision": "a", "reason": "Aborted", "time": "2026-01-01T00:00:00Z"}
    assert stored_failure(record(json.dumps({**failure, "message": "x"}))) is not None
    assert stored_failure(record(json.dumps({**failure, "message": "x" * 20_000}))) is None
