"""What tests of sources share: access to Secrets and loopback, and a clock that never waits."""

from __future__ import annotations

import asyncio
from typing import cast

from canarium.kube.client import Api
from canarium.kube.clock import Timing
from canarium.signals.access import SharedResources
from canarium.signals.http_client import HttpClient
from canarium.sources.registries import Registries
from signals.conftest import LOOPBACK
from signals.secrets_api import Secrets

#: The only model.
KEY = ("a", "fraud")


class Waiting:
    """A clock of which each wait ends at once, and the calls that wake the model."""

    #: The number of waits after which `patient` is set.
    most_waits = 8
    #: Whether the last of them never ends.
    stops = False

    def __init__(self) -> None:
        self.now = 0.0
        self.waits: list[float] = []
        self.patient, self._woken = asyncio.Event(), asyncio.Event()
        self.timing = Timing(clock=lambda: self.now, sleep=self._sleep)

    async def _sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds
        if len(self.waits) >= self.most_waits:
            self.patient.set()
            if self.stops:
                await asyncio.Event().wait()
        await asyncio.sleep(0)

    def wake(self, key: tuple[str, str], urgent: bool) -> None:
        """Is called by the source when it has something new."""
        assert (key, urgent) == (KEY, False)
        self._woken.set()

    @property
    def is_woken(self) -> bool:
        return self._woken.is_set()

    async def until_woken(self) -> None:
        await asyncio.wait_for(self._woken.wait(), 20)
        self._woken.clear()


class SourceRig(Waiting):
    """What the client of a user's system needs."""

    def __init__(self) -> None:
        super().__init__()
        self.secrets = Secrets()
        self.api = cast(Api, self.secrets)
        self.shared = SharedResources(HttpClient(LOOPBACK))
        self.registries = Registries(self.api, self.shared.of, self.timing.clock)

    async def close(self) -> None:
        await self.shared.close()
