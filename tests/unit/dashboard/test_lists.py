"""Tables of models: parsed while they arrive, kept as lines, and bounded by bytes."""

from __future__ import annotations

import asyncio
import json
import tracemalloc
from collections.abc import AsyncIterator
from typing import Any

import pytest

from canarium_dashboard import feeds
from canarium_dashboard.access.identity import Identity
from canarium_dashboard.access.token import TokenAccess
from canarium_dashboard.api import ApiFault
from canarium_dashboard.dashboard import Dashboard
from canarium_dashboard.feeds import Feed, Feeds
from canarium_dashboard.lines import line
from canarium_dashboard.pages.streams import _events
from canarium_dashboard.settings import Settings
from canarium_dashboard.table_parser import TableParser
from dashboard.standin import TOKEN, StandInApi, copies, moment

PERSON = Identity("a", "ann", {"Authorization": f"Bearer {TOKEN}"})


DEFINITIONS = [{"name": "Name"}, {"name": "Phase"}]
BEGIN = b'{"columnDefinitions":[],"rows":['


@pytest.mark.parametrize("size", [1, 7, 1_000, 10**7])
@pytest.mark.parametrize("metadata_first", [True, False])
def test_rows_are_complete_for_any_size_of_chunk(size: int, metadata_first: bool) -> None:
    rows = [{"cells": [n, '"},{"rows":[ü', None, {"a": [{}]}], "object": None} for n in range(40)]
    metadata = {"metadata": {"resourceVersion": "12"}}
    last = {"columnDefinitions": DEFINITIONS, "rows": rows}
    body = {**metadata, **last} if metadata_first else {**last, **metadata}
    raw = json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
    parser = TableParser()
    found = [x for at in range(0, len(raw), size) for x in parser.feed(raw[at : at + size])]
    assert found == rows
    assert parser.definitions() == DEFINITIONS
    assert parser.version() == "12"


@pytest.mark.parametrize(
    "raw",
    [
        BEGIN + b'{"cells":[1]},{"c"',
        BEGIN + b"{}]}",
        b"<html>",
        BEGIN + b'1],"metadata":{"resourceVersion":"1"}}',
        b'{"kind":"List","items":[],"metadata":{"resourceVersion":"1"}}',
    ],
)
def test_table_that_is_cut_off_or_wrong_is_refused(raw: bytes) -> None:
    def parse() -> str:
        parser = TableParser()
        list(parser.feed(raw))
        return parser.version()

    with pytest.raises(ValueError, match=r"."):
        parse()


def test_line_takes_about_as_many_bytes_as_it_counts() -> None:
    texts = [json.dumps(model) for model in copies(400)]
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    kept = [line(json.loads(text), 0.0) for text in texts]
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    counted = sum(one.size for one in kept)
    assert 0.5 < (after - before) / counted < 1.2


def test_model_without_a_status_is_pending() -> None:
    # As it is until the operator has seen it; `intern` takes no members of enumerations.
    row = line({"metadata": {"name": "new", "namespace": "risk"}}, 1.0).at(2.0)
    assert (row.name, row.phase) == ("new", "Pending")


def test_ages_and_remaining_times_are_of_the_moment_of_the_page() -> None:
    model = copies(1)[0]
    model["metadata"]["creationTimestamp"] = "2026-11-28T00:00:00Z"
    model["status"]["waitingFor"] = {"reason": "Pause", "expectedEndTime": "2026-11-28T00:01:00Z"}
    start = moment("2026-11-28T00:00:00Z")
    one = line(model, start)
    assert (one.row.age_seconds, one.row.remaining_seconds) == (0.0, 60.0)
    assert (one.at(start + 10).age_seconds, one.at(start + 10).remaining_seconds) == (10.0, 50.0)
    assert one.at(start + 100).remaining_seconds == 0.0


async def test_feeds_end_beyond_the_bound_of_bytes_and_the_newest_stays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    api = StandInApi()
    api.many = copies(20)
    size = sum(line(model, 0.0).size for model in api.many)
    monkeypatch.setattr(feeds, "BYTES", int(1.5 * size))
    held = Feeds(api, lambda _: None)
    first, second = held.of(PERSON, "/a/modeldeployments"), held.of(PERSON, "/b/modeldeployments")
    await asyncio.gather(first.ready(), second.ready())
    await held.trim()
    assert (first.ended, second.ended) == (True, False)
    monkeypatch.setattr(feeds, "BYTES", size // 2)
    large = Feed(api, PERSON, "/c/modeldeployments", "", lambda _: None)
    with pytest.raises(ApiFault, match="Choose a namespace"):
        await large.ready()
    await held.stop()


class _Expiring(StandInApi):
    expired = asyncio.Event()

    async def watch(
        self, identity: Identity, path: str, **params: str
    ) -> AsyncIterator[dict[str, Any]]:
        await self.expired.wait()
        self._check("WATCH", identity, path)
        yield {}


async def test_stream_asks_for_a_login_when_the_token_expires() -> None:
    api = _Expiring()
    feed = Feed(api, PERSON, "/a/modeldeployments", "", lambda _: None)
    await feed.ready()
    api.accepted = set()
    api.expired.set()
    dashboard = Dashboard(Settings(), TokenAccess(), api)
    events = [e async for e in _events(dashboard, PERSON, (feed,), None, lambda: True)]
    assert events[-1] == "event: login\ndata: 1\n\n"
