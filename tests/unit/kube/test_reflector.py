"""The reflector against a server that drops, repeats and forgets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from canarium.kube import reflector as module
from canarium.kube.cache import Cache
from canarium.kube.clock import Timing
from canarium.kube.reflector import Reflector
from canarium.kube.resources import PODS
from kube.objects import Pod, bookmark, event, project

BASE = "/api/v1/namespaces/ns/pods/"
EXPIRED = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}


class Watched:
    def __init__(self, client: Any) -> None:
        self.changes: list[tuple[str | None, str | None]] = []
        self.clock = 1000.0
        self.slept: list[float] = []
        self.cache: Cache[Pod] = Cache(project, self.changed)
        timing = Timing(clock=lambda: self.clock, sleep=self.sleep)
        self.reflector = Reflector(client, PODS, self.cache, timing=timing)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.clock += seconds
        await asyncio.sleep(0)

    def changed(self, old: Pod | None, new: Pod | None) -> None:
        def text(pod: Pod | None) -> str | None:
            return f"{pod.name}:{pod.phase}" if pod else None

        self.changes.append((text(old), text(new)))

    @property
    def names(self) -> set[str]:
        return {name for _, name in self.cache.items}


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(2):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


@pytest.fixture
async def seen(client: Any) -> Watched:
    return Watched(client)


@pytest.fixture
async def run(seen: Watched) -> Any:
    tasks: list[asyncio.Task[None]] = []

    async def start() -> None:
        tasks.append(asyncio.create_task(seen.reflector.run()))
        await asyncio.wait_for(seen.reflector.synced.wait(), 2)

    yield start
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_it_lists_in_chunks_before_it_is_synced(
    api: Any, seen: Watched, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_CHUNK", "2")
    for name in "abcde":
        api.put(BASE + name)
    await run()
    assert seen.names == set("abcde")
    assert api.lists == 3


async def test_lists_that_share_a_turn_have_no_two_pages_in_memory(api: Any, client: Any) -> None:
    class Counting:
        """Notes how many pages are under way or being read at a time."""

        now = most = 0

        async def list(self, *where: Any, **query: str) -> Any:
            self.now += 1
            self.most = max(self.most, self.now)
            page = await client.list(*where, **query)
            await asyncio.sleep(0.01)
            self.now -= 1
            return page

    for name in "ab":
        api.put(BASE + name)
    counting, turn = Counting(), asyncio.Semaphore()
    caches = [Cache(project, lambda old, new: None) for _ in range(3)]
    several = [Reflector(counting, PODS, cache, turn=turn) for cache in caches]  # type: ignore[arg-type]
    await asyncio.gather(*(one.relist() for one in several))
    assert [len(cache.items) for cache in caches] == [2, 2, 2]
    assert counting.most == 1


async def test_it_follows_events_from_the_list_on(api: Any, seen: Watched, run: Any) -> None:
    api.put(BASE + "a")
    uid = api.objects[BASE + "a"]["metadata"]["uid"]
    api.watches = [[event("ADDED", "b", "u", 102), event("DELETED", "a", uid, 103)]]
    await run()
    await until(lambda: seen.names == {"b"})
    assert api.watched[0] == "101"
    assert seen.changes == [(None, "a:"), (None, "b:"), ("a:", None)]


async def test_refused_watch_is_followed_by_a_relist(api: Any, seen: Watched, run: Any) -> None:
    api.faults = [api.status(503, "ServiceUnavailable")]
    api.put(BASE + "a")
    await run()
    assert seen.names == {"a"}


async def test_duplicated_and_stale_events_change_nothing(
    api: Any, seen: Watched, run: Any
) -> None:
    new = event("MODIFIED", "a", "u", 120, "new")
    old = event("MODIFIED", "a", "u", 110, "old")
    api.watches = [[new, new, old, event("ADDED", "z", "z", 121)]]
    await run()
    await until(lambda: "z" in seen.names)
    assert seen.cache.items["ns", "a"].phase == "new"
    assert seen.changes == [(None, "a:new"), (None, "z:")]


async def test_dropped_watch_is_resumed_without_a_list(api: Any, seen: Watched, run: Any) -> None:
    api.put(BASE + "a")
    api.watches = [
        [event("ADDED", "b", "u", 110), ConnectionError()],
        [event("ADDED", "c", "v", 111), bookmark(150), ConnectionError()],
        [ConnectionError()],
    ]
    await run()
    await until(lambda: len(api.watched) == 4)
    assert api.watched == ["101", "110", "150", "150"]
    assert api.lists == 1
    assert seen.names == {"a", "b", "c"}


async def test_waits_are_jittered_and_grow_while_watches_fail(
    api: Any, seen: Watched, run: Any
) -> None:
    api.watches = [[ConnectionError()]] * 8
    await run()
    await until(lambda: len(api.watched) == 9)
    for wait, base in zip(seen.slept, [0.5, 1, 2, 4, 4, 4, 4, 4], strict=True):
        assert base / 2 <= wait <= base


async def test_long_lived_watch_resets_the_backoff(api: Any, seen: Watched, run: Any) -> None:
    api.watches = [[ConnectionError()]] * 5
    await run()
    await until(lambda: len(api.watched) == 6)
    seen.clock += 60
    api.watches = [[ConnectionError()]]
    api.drop_watches()
    await until(lambda: len(api.watched) == 8)
    assert seen.slept[5] <= 0.5


async def test_410_in_the_watch_is_followed_by_a_list_that_finds_deletions(
    api: Any, seen: Watched, run: Any
) -> None:
    api.put(BASE + "a")
    api.put(BASE + "b")

    def meanwhile() -> None:
        del api.objects[BASE + "a"]
        api.version += 1

    api.watches = [[bookmark(102), meanwhile, {"type": "ERROR", "object": EXPIRED}]]
    await run()
    await until(lambda: seen.names == {"b"} and len(api.watched) == 2)
    assert ("a:", None) in seen.changes
    assert api.lists == 2


async def test_410_as_the_answer_is_followed_by_a_list(api: Any, seen: Watched, run: Any) -> None:
    api.watches = [[ConnectionError()]]
    await run()
    api.faults = [api.status(410, "Expired")]
    await until(lambda: api.lists == 2)


async def test_list_that_is_refused_waits_as_long_as_asked(
    api: Any, seen: Watched, run: Any
) -> None:
    api.faults = [api.status(429, "TooManyRequests", **{"Retry-After": "7"})]
    await run()
    (slept,) = seen.slept
    assert 7.0 <= slept <= 8.4


# E5
async def test_watch_is_tried_again_within_four_seconds_after_an_outage(
    api: Any, seen: Watched, run: Any
) -> None:
    api.faults = [api.status(500, "InternalError") for _ in range(12)]
    api.put(BASE + "a")
    await run()
    await until(lambda: seen.names == {"a"})
    assert len(seen.slept) == 12
    assert max(seen.slept) <= 4


async def test_object_that_cannot_be_read_does_not_hide_the_others(
    api: Any, seen: Watched, run: Any, caplog: pytest.LogCaptureFixture
) -> None:
    nameless = {"metadata": {"name": "odd", "resourceVersion": "101"}}
    api.watches = [[{"type": "ADDED", "object": nameless}, event("ADDED", "b", "u", 102)]]
    await run()
    await until(lambda: seen.names == {"b"})
    assert len(api.watched) == 1
    assert "odd: reading it (it is ignored) failed" in caplog.text


async def test_malformed_event_is_followed_by_a_list(api: Any, seen: Watched, run: Any) -> None:
    api.watches = [[{"type": "ADDED", "object": {}}]]
    await run()
    await until(lambda: api.lists == 2)


async def test_age_grows_when_nothing_happens_and_any_event_ends_it(
    api: Any, seen: Watched, run: Any
) -> None:
    go = asyncio.Event()
    api.watches = [[go.wait, bookmark(150)]]
    await run()
    await until(lambda: len(api.watched) == 1)
    seen.clock += 500
    assert seen.reflector.age() >= 500
    go.set()
    await until(lambda: seen.reflector.age() == 0)


async def test_server_that_is_down_does_not_make_the_watch_look_stuck(
    api: Any, seen: Watched, run: Any
) -> None:
    api.watches = [[ConnectionError()]] * 80
    await run()
    await until(lambda: len(api.watched) == 81)
    assert seen.clock > 1180, "longer than any limit of the liveness probe"
    assert seen.reflector.age() == 0


async def test_backoff_grows_when_a_server_ends_watches_at_once(
    api: Any, seen: Watched, run: Any
) -> None:
    api.watches = [[StopIteration]] * 10
    await run()
    await until(lambda: len(api.watched) == 11)
    assert len(seen.slept) == 10
    assert min(seen.slept) >= 0.5
    assert api.lists == 1
