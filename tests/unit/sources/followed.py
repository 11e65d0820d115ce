"""A follower in virtual time, and a registry of which a test sets the answer."""

from __future__ import annotations

import asyncio
import random

from canarium.core.facts.resolution import Follow, Resolution, ResolveRequest
from canarium.kube.clock import Timing
from canarium.sources.follower import Follower
from simulation.clock import VirtualLoop

KEY = ("a", "fraud")
REQUEST = ResolveRequest("mlflow://fraud@champion", "https://mlflow.example", None, "1")


class SharedReference:
    """Models that follow one reference."""

    def __init__(self) -> None:
        self.loop = VirtualLoop()
        self.answer = ""
        self.takes = 0.0
        #: Until when the registry wants no requests.
        self.limited = 0.0
        self.asked: list[float] = []
        timing = Timing(clock=self.loop.time, sleep=asyncio.sleep, chance=random.Random(7))
        self.follower = Follower(
            self._resolve,
            lambda key, urgent: None,
            timing,
            lambda namespace, request: max(0.0, self.limited - self.loop.time()),
        )

    async def _resolve(self, key: tuple[str, str], request: ResolveRequest) -> Resolution:
        self.asked.append(self.loop.time())
        answer = self.answer
        await asyncio.sleep(self.takes)
        return Resolution(request, answer)

    def want(
        self, key: tuple[str, str], follow: Follow, first: str | None = None, attempt: str = "1"
    ) -> None:
        """Lets a model follow; `first`: what its record needed."""
        request = ResolveRequest(REQUEST.uri, REQUEST.endpoint, REQUEST.secret, attempt)

        async def wanted() -> None:
            result = Resolution(request, first) if first else None
            self.follower.want(key, request, follow, result)

        self.loop.run(wanted())

    def until_asked(self, step: float = 0.25) -> None:
        """Lets time pass, in steps of so many seconds, until the next request has been sent."""
        seen = len(self.asked)
        while len(self.asked) == seen:
            assert self.loop.time() < 100_000.0
            self.loop.advance(step)
        # For the answer, unless it takes longer.
        self.loop.advance(0.01)

    def confirmed(self, key: tuple[str, str]) -> str | None:
        """The result of a model, if it is confirmed."""
        found = self.follower.result(key)
        return found.uri if found and found.confirmed else None

    def close(self) -> None:
        self.loop.run(self.follower.close())
        self.loop.close()
