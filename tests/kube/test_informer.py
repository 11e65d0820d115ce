"""The informer against a server that drops, repeats and forgets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from canarium.kube import cache as module
from canarium.kube.cache import Informer
from canarium.kube.kinds import PODS

BASE = "/api/v1/namespaces/ns/pods/"


@dataclass(frozen=True, slots=True)
class Pod:
    namespace: str
    name: str
    uid: str
    version: int = field(compare=False)
    phase: str = ""


def project(raw: dict[str, Any]) -> Pod:
    meta = raw["metadata"]
    version = int(meta["resourceVersion"])
    return Pod(meta["namespace"], meta["name"], meta["uid"], version, raw.get("phase", ""))


def raw(name: str, uid: str, version: int, phase: str = "") -> dict[str, Any]:
    meta = {"namespace": "ns", "name": name, "uid": uid, "resourceVersion": str(version)}
    return {"metadata": meta, "phase": phase}


def event(kind: str, *args: Any) -> dict[str, Any]:
    return {"type": kind, "object": raw(*args)}


def bookmark(version: int) -> dict[str, Any]:
    return {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": str(version)}}}


class Watched:
    def __init__(self, client: Any) -> None:
        self.changes: list[tuple[str | None, str | None]] = []
        self.informer = Informer(client, PODS, project=project, on_change=self.changed)

    def changed(self, old: Pod | None, new: Pod | None) -> None:
        def text(pod: Pod | None) -> str | None:
            return f"{pod.name}:{pod.phase}" if pod else None

        self.changes.append((text(old), text(new)))

    @property
    def names(self) -> set[str]:
        return {name for _, name in self.informer.items}


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(2):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


@pytest.fixture
async def seen(client: Any, monkeypatch: pytest.MonkeyPatch) -> Watched:
    monkeypatch.setattr(module, "_SHORTEST", 0.01)
    return Watched(client)


@pytest.fixture
async def run(seen: Watched) -> Any:
    tasks: list[asyncio.Task[None]] = []

    async def start() -> None:
        tasks.append(asyncio.create_task(seen.informer.run()))
        await asyncio.wait_for(seen.informer.synced.wait(), 2)

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


async def test_it_follows_events_from_the_list_on(api: Any, seen: Watched, run: Any) -> None:
    api.put(BASE + "a")
    uid = api.objects[BASE + "a"]["metadata"]["uid"]
    api.watches = [[event("ADDED", "b", "u", 102), event("DELETED", "a", uid, 103)]]
    await run()
    await until(lambda: seen.names == {"b"})
    assert api.watched[0] == "101"
    assert seen.changes == [(None, "a:"), (None, "b:"), ("a:", None)]


async def test_what_went_during_an_outage_is_seen_as_deleted(
    api: Any, seen: Watched, run: Any
) -> None:
    api.put(BASE + "a")
    api.put(BASE + "b")
    api.watches = [[bookmark(102), ConnectionError()]]
    original = api.watch

    async def watch(request: Any) -> Any:
        api.objects.pop(BASE + "a", None)
        api.version += 1
        return await original(request)

    api.watch = watch
    await run()
    await until(lambda: seen.names == {"b"})
    assert ("a:", None) in seen.changes


async def test_gone_is_followed_by_a_relist(api: Any, seen: Watched, run: Any) -> None:
    error = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}
    api.watches = [[{"type": "ERROR", "object": error}]]
    await run()
    await until(lambda: api.lists == 2 and len(api.watched) == 2)


async def test_a_refused_watch_is_followed_by_a_relist(api: Any, seen: Watched, run: Any) -> None:
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
    assert seen.informer.items["ns", "a"].phase == "new"
    assert seen.changes == [(None, "a:new"), (None, "z:")]


async def test_a_write_is_read_at_once_and_older_events_dropped(
    api: Any, seen: Watched, run: Any
) -> None:
    await run()
    seen.informer.observe(raw("a", "u", 130, "written"))
    assert seen.informer.items["ns", "a"].phase == "written"
    seen.informer.observe(raw("a", "u", 99, "before"))
    assert seen.informer.items["ns", "a"].phase == "written"


async def test_versions_are_compared_as_numbers(seen: Watched) -> None:
    seen.informer.observe(raw("a", "u", 1000, "new"))
    seen.informer.observe(raw("a", "u", 999, "old"))
    assert seen.informer.items["ns", "a"].phase == "new"


async def test_a_forgotten_object_is_not_revived_by_late_events(seen: Watched) -> None:
    seen.informer.observe(raw("a", "u", 10))
    seen.informer.forget("ns", "a", "u")
    seen.informer.observe(raw("a", "u", 11, "terminating"))
    assert seen.names == set()
    seen.informer.observe(raw("a", "u2", 12))
    assert seen.names == {"a"}


async def test_forgetting_a_predecessor_spares_its_successor(seen: Watched) -> None:
    seen.informer.observe(raw("a", "new", 20))
    seen.informer.forget("ns", "a", "old")
    assert seen.names == {"a"}


async def test_a_write_newer_than_the_list_survives_the_diff(seen: Watched, run: Any) -> None:
    seen.informer.observe(raw("mine", "u", 10_000))
    await run()
    assert seen.names == {"mine"}


async def test_age_is_time_since_the_last_sign_of_life(api: Any, seen: Watched, run: Any) -> None:
    seen.informer.alive_at -= 1000
    assert seen.informer.age() >= 1000
    api.watches = [[bookmark(150)]]
    await run()
    assert seen.informer.age() < 1


async def test_a_recreated_object_is_not_reverted_by_its_predecessor(seen: Watched) -> None:
    seen.informer.observe(raw("a", "old", 10))
    seen.informer.forget("ns", "a", "old")
    seen.informer.observe(raw("a", "new", 20))
    seen.informer.observe(raw("a", "old", 11, "late event"))
    assert seen.informer.items["ns", "a"].uid == "new"


async def test_a_malformed_object_does_not_end_the_watch(api: Any, seen: Watched, run: Any) -> None:
    api.watches = [[{"type": "ADDED", "object": {"metadata": {"resourceVersion": "101"}}}]]
    await run()
    await until(lambda: api.lists > 1 or len(api.watched) > 1)


async def test_a_server_that_ends_watches_at_once_is_not_hammered(
    api: Any, seen: Watched, run: Any
) -> None:
    opened = 0

    async def watch(request: Any) -> Any:
        nonlocal opened
        opened += 1
        return type(api.status(200, ""))(body=b"")

    api.watch = watch
    await run()
    await asyncio.sleep(0.1)
    assert opened < 15
