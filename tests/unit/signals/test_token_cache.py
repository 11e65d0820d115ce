"""Credentials that expire: obtained once, replaced in time, and bounded."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from canarium.api.reasons import CheckReason
from canarium.signals import token_cache
from canarium.signals.credentials import Unavailable
from canarium.signals.token_cache import EARLY, FAILED, LONGEST, Expiring, TokenCache
from idle import Clock

rule = pytest.mark.rule
KEY = ("risk", "a")


class Answer:
    """What a server sent, on the frame of the request."""


class Server:
    """Issues the tokens 1, 2, … once a test allows it, or fails."""

    def __init__(self) -> None:
        self.issued = 0
        self.lifetime = 600.0
        self.fails = False
        self.answers: list[weakref.ref[Answer]] = []
        self.open = asyncio.Event()
        self.open.set()

    async def obtain(self) -> Expiring[int]:
        self.issued += 1
        number = self.issued
        await self.open.wait()
        if self.fails:
            answer = Answer()
            self.answers.append(weakref.ref(answer))
            raise Unavailable(f"attempt {number}", CheckReason.ACCESS_DENIED)
        return Expiring(number, self.lifetime)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def server() -> Server:
    return Server()


@pytest_asyncio.fixture
async def cache(clock: Clock) -> AsyncIterator[TokenCache]:
    made = TokenCache(clock)
    yield made
    await made.close()


@pytest.mark.parametrize(
    ("lifetime", "used"),
    [(600.0, 600.0 - EARLY), (40.0, 30.0), (1e9, LONGEST - EARLY)],
    ids=["early", "short", "longest"],
)
async def test_token_is_used_until_shortly_before_it_expires(
    cache: TokenCache, clock: Clock, server: Server, lifetime: float, used: float
) -> None:
    server.lifetime = lifetime
    assert await cache.get(KEY, server.obtain) == 1
    clock.now += used - 0.1
    assert await cache.get(KEY, server.obtain) == 1
    clock.now += 0.2
    assert await cache.get(KEY, server.obtain) == 2


async def test_all_who_need_a_token_wait_for_one_request(cache: TokenCache, server: Server) -> None:
    server.open.clear()
    waiting = [asyncio.create_task(cache.get(KEY, server.obtain)) for _ in range(50)]
    await asyncio.sleep(0)
    server.open.set()
    assert await asyncio.gather(*waiting) == [1] * 50


async def test_waiter_that_gives_up_does_not_end_the_request_of_others(
    cache: TokenCache, server: Server
) -> None:
    server.open.clear()
    first = asyncio.create_task(cache.get(KEY, server.obtain))
    await asyncio.sleep(0)
    second = asyncio.create_task(cache.get(KEY, server.obtain))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    server.open.set()
    assert await second == 1
    assert first.cancelled()


async def test_failure_is_not_repeated_for_a_moment(
    cache: TokenCache, clock: Clock, server: Server
) -> None:
    server.fails = True
    for _ in range(3):
        with pytest.raises(Unavailable, match="attempt 1") as caught:
            await cache.get(KEY, server.obtain)
        assert caught.value.reason == CheckReason.ACCESS_DENIED
        clock.now += FAILED / 4
    server.fails = False
    clock.now += FAILED
    assert await cache.get(KEY, server.obtain) == 2


@rule("R29", "R31")
async def test_cached_failure_keeps_no_answer_and_no_frame_with_a_secret(
    cache: TokenCache, server: Server
) -> None:
    server.fails = True
    for number in range(3):
        with pytest.raises(Unavailable):
            await cache.get(("risk", str(number)), server.obtain)
    await asyncio.sleep(0)  # The event loop refers to the last future until then.
    gc.collect()
    assert [answer() for answer in server.answers] == [None] * 3


@rule("R31")
async def test_expired_tokens_and_failures_are_removed(
    cache: TokenCache, clock: Clock, server: Server
) -> None:
    class Token:
        pass

    async def obtain() -> Expiring[Token]:
        return Expiring(Token(), 8.0)

    token = weakref.ref(await cache.get(KEY, obtain))
    gc.collect()
    assert token() is not None
    clock.now += FAILED
    await cache.get(("risk", "other"), server.obtain)
    gc.collect()
    assert token() is None


async def test_defect_is_raised_once_and_then_named(cache: TokenCache) -> None:
    async def broken() -> Expiring[int]:
        raise KeyError("x")

    with pytest.raises(KeyError):
        await cache.get(KEY, broken)
    with pytest.raises(Unavailable, match="no credential could be obtained: KeyError"):
        await cache.get(KEY, broken)


async def test_other_secret_does_not_wait_for_the_failure_of_the_one_before(
    cache: TokenCache, server: Server
) -> None:
    server.fails = True
    with pytest.raises(Unavailable):
        await cache.get(KEY, server.obtain)
    server.fails = False
    assert await cache.get(("risk", "b"), server.obtain) == 2


async def test_token_that_was_refused_is_replaced(cache: TokenCache, server: Server) -> None:
    assert await cache.get(KEY, server.obtain) == 1
    cache.forget(KEY)
    cache.forget(("risk", "unknown"))
    assert await cache.get(KEY, server.obtain) == 2


async def test_new_token_that_was_refused_is_replaced_once_it_is_old_enough(
    cache: TokenCache, clock: Clock, server: Server
) -> None:
    assert await cache.get(KEY, server.obtain) == 1
    for age, number in ((59.0, 1), (60.0, 2)):
        clock.now = 1000.0 + age
        cache.forget(KEY, older=60.0)
        assert await cache.get(KEY, server.obtain) == number


@rule("R31")
async def test_namespace_with_the_most_tokens_loses_its_oldest_when_there_are_too_many(
    cache: TokenCache, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token_cache, "MOST", 5)
    keys = [("risk", "a"), *(("hostile", str(n)) for n in range(4)), ("search", "a")]
    for key in keys:
        await cache.get(key, server.obtain)
    assert server.issued == 6
    for key in [keys[0], *keys[2:]]:
        await cache.get(key, server.obtain)
    assert server.issued == 6
    await cache.get(keys[1], server.obtain)
    assert server.issued == 7
