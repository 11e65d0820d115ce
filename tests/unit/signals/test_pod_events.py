"""Events of pods whose containers are not created: what is read of them, and how often."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from canarium.core.facts.pods import Trouble, TroubleReason
from canarium.kube import resources
from canarium.kube.clock import Timing
from canarium.kube.errors import ApiError
from canarium.signals.pod_events import PodEvents, latest

rule = pytest.mark.rule


def event(reason: str, at: str, message: str = "", **more: Any) -> dict[str, Any]:
    meta = {"name": "e", "creationTimestamp": "2026-01-01T00:00:00Z"}
    stamp = f"2026-01-01T00:00:{at}Z"
    return {"metadata": meta, "reason": reason, "message": message, "lastTimestamp": stamp, **more}


# I8
@rule("R29")
@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        ((), None),
        ((("Scheduled", "01"), ("FailedMount", "02")), "FailedMount"),
        ((("FailedMount", "02"), ("FailedAttachVolume", "03")), "FailedAttachVolume"),
        ((("FailedMount", "02"), ("Pulling", "09")), None),
        ((("Pulling", "02"), ("FailedCreatePodSandBox", "09")), "FailedCreatePodSandBox"),
        ((("BackOff", "09"),), None),
    ],
)
def test_newest_trouble_counts_unless_the_pod_got_further(
    seen: tuple[tuple[str, str], ...], expected: str | None
) -> None:
    found = latest([event(*one) for one in seen])
    assert (found["reason"] if found else None) == expected


def test_event_that_was_seen_again_is_as_new_as_its_last_time() -> None:
    again = event("FailedMount", "01", series={"lastObservedTime": "2026-01-01T00:00:50.123456Z"})
    found = latest([again, event("Pulling", "40")])
    assert found is again


class Server:
    """Lists the same Events for every pod, has the objects in `there`, and counts reads."""

    def __init__(self, *events: dict[str, Any], there: tuple[str, ...] = ()) -> None:
        self.events, self.there = list(events), there
        self.reads: list[tuple[str, float]] = []

    async def list(self, resource: Any, namespace: str | None = None, **query: str) -> Any:
        assert resource is resources.EVENTS
        assert namespace
        self.reads.append((namespace, asyncio.get_running_loop().time()))
        assert query["fieldSelector"].startswith("involvedObject.kind=Pod,involvedObject.name=")
        return {"items": self.events}

    async def get(self, resource: Any, namespace: str | None, name: str) -> Any:
        if name == "forbidden":
            raise ApiError(403, "Forbidden", "no")
        if name not in self.there:
            raise ApiError(404, "NotFound", "no")
        return {}


MOUNT = 'MountVolume.SetUp failed for volume "s" : secret "no-such" not found'


async def trouble_from(server: Server, *sources: tuple[Any, str]) -> Trouble | None:
    woken: asyncio.Queue[bool] = asyncio.Queue()
    reader = PodEvents(
        server,  # type: ignore[arg-type]
        lambda key, pod: sources,
        lambda key, urgent: woken.put_nowait(urgent),
    )
    reader.want(("ns", "m"), ("p",))
    try:
        async with asyncio.timeout(5):
            urgent = await woken.get()
    finally:
        found = reader.troubles(("ns", "m")).get("p")
        await reader.close()
    assert found is None or urgent == found.missing
    return found


# I8
@rule("R7")
@pytest.mark.parametrize(
    ("sources", "missing"),
    [
        ([(resources.SECRETS, "no-such")], 'secret "no-such" not found'),
        ([(resources.SECRETS, "there")], None),
        ([(resources.SECRETS, "forbidden")], None),
        (
            [(resources.SECRETS, "there"), (resources.CONFIG_MAPS, "no-such")],
            'configmap "no-such" not found',
        ),
        ([], None),
    ],
)
async def test_missing_source_of_a_volume_is_found_by_lookup_not_by_text(
    sources: list[tuple[Any, str]], missing: str | None
) -> None:
    server = Server(event("FailedMount", "01", MOUNT), there=("there",))
    found = await trouble_from(server, *sources)
    assert found == Trouble(TroubleReason.FAILED_MOUNT, missing or MOUNT, missing is not None)


@rule("R29")
async def test_missing_source_is_named_where_the_event_does_not_name_it() -> None:
    server = Server(event("FailedMount", "01", "unmounted volumes=[s]: timed out waiting"))
    found = await trouble_from(server, (resources.CONFIG_MAPS, "rules"))
    assert found
    assert found.message == 'configmap "rules" not found'


@rule("R31")
async def test_stuck_pods_of_one_namespace_do_not_delay_the_answer_for_another() -> None:
    server = Server(event("FailedMount", "01", MOUNT))
    done = asyncio.Event()
    reader = PodEvents(
        server,  # type: ignore[arg-type]
        lambda key, pod: (),
        lambda key, urgent: done.set() if key[0] == "good" else None,
        Timing(),
    )
    try:
        for number in range(2_000):
            reader.want(("hostile", f"m{number}"), ("a", "b", "c"))
        await asyncio.sleep(0)
        began = asyncio.get_running_loop().time()
        reader.want(("good", "m"), ("p",))
        async with asyncio.timeout(5):
            await done.wait()
        assert asyncio.get_running_loop().time() - began < 2
        # The rate is bounded: two at a time, each for a tenth of a second.
        assert len(server.reads) <= 2 + 20 * (asyncio.get_running_loop().time() - began + 0.2)
    finally:
        await reader.close()


async def test_pods_no_longer_requested_are_not_read() -> None:
    server = Server(event("FailedMount", "01", MOUNT))
    woken = asyncio.Event()
    reader = PodEvents(server, lambda key, pod: (), lambda key, urgent: woken.set())  # type: ignore[arg-type]
    reader.want(("ns", "m"), ("p",))
    async with asyncio.timeout(5):
        await woken.wait()
    assert reader.troubles(("ns", "m"))
    reader.want(("ns", "m"), ())
    await asyncio.sleep(0)
    assert reader.troubles(("ns", "m")) == {}
    assert len(server.reads) == 1
    await reader.close()


@rule("R29")
async def test_reading_continues_after_an_unexpected_exception() -> None:
    server = Server(event("FailedMount", "01", MOUNT))
    broken, woken = [True], asyncio.Event()

    def sources(key: Any, pod: str) -> list[Any]:
        if broken:
            broken.pop()
            raise KeyError("no such record")
        return []

    async def at_once(seconds: float) -> None:
        await asyncio.sleep(0)

    reader = PodEvents(
        server,  # type: ignore[arg-type]
        sources,
        lambda key, urgent: woken.set(),
        Timing(sleep=at_once),
    )
    reader.want(("ns", "m"), ("p",))
    async with asyncio.timeout(5):
        await woken.wait()
    assert reader.troubles(("ns", "m"))
    await reader.close()
