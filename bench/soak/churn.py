"""Constant updates, some of which fail under traffic and are rolled back."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from contextlib import suppress

from bench.cluster.client import Body, Client, Refused
from bench.cluster.pods import fail
from bench.cluster.watching import Key, Watching
from bench.contenders.canarium import Canarium

#: One version of so many fails at its first weight.
_BAD = 20
#: Seconds that a candidate has until it has traffic.
_PATIENCE = 300.0


class Churn:
    """Updates the models of `keys` in turn. `versions` has the last one of each."""

    def __init__(
        self,
        client: Client,
        watching: Watching,
        operator: Canarium,
        keys: list[Key],
        chance: random.Random,
    ) -> None:
        self._client, self._watching, self._operator = client, watching, operator
        self._keys, self._chance = keys, chance
        self.versions = dict.fromkeys(keys, 1)
        #: Versions whose pods have failed under traffic.
        self.failed = 0
        self._failing: set[asyncio.Task[None]] = set()

    async def run(self, rate: float, seconds: float) -> int:
        """Sends `rate` updates a second for so long; how many."""
        began, sent = time.monotonic(), 0
        for key in itertools.cycle(self._keys):
            if time.monotonic() >= began + seconds:
                break
            await self.update(key)
            if self._chance.randrange(_BAD) == 0:
                task = asyncio.create_task(self._fail(key, self.versions[key]))
                self._failing.add(task)
                task.add_done_callback(self._failing.discard)
            sent += 1
            await asyncio.sleep(max(0.0, began + sent / rate - time.monotonic()))
        await asyncio.gather(*self._failing)
        return sent

    async def update(self, key: Key) -> None:
        """Asks for the next version of a model."""
        self.versions[key] += 1
        await self._client.merge(*self._operator.changed(key, self.versions[key]))

    def is_live(self, body: Body) -> bool:
        """Returns whether a model serves its last version."""
        meta = body["metadata"]
        return self._operator.live(body, self.versions[meta["namespace"], meta["name"]])

    async def _fail(self, key: Key, version: int) -> None:
        """Fails the pod of a candidate once it has traffic, unless a later version replaces it."""
        until = time.monotonic() + _PATIENCE
        while time.monotonic() < until and self.versions[key] == version:
            status = self._watching.objects[key].get("status", {})
            candidate = (status.get("candidate") or {}).get("version")
            if status.get("weight") and candidate == str(version):
                with suppress(Refused):  # It has just been deleted.
                    for pod in await self._pods(key, version):
                        await fail(self._client, key, pod, version)
                        self.failed += 1
                return
            await asyncio.sleep(0.2)

    async def _pods(self, key: Key, version: int) -> list[str]:
        where = f"/api/v1/namespaces/{key[0]}/pods?labelSelector=canarium.dev/model={key[1]}"
        listed = await self._client.get(where)
        return [
            pod["metadata"]["name"]
            for pod in listed["items"]
            if pod["spec"]["containers"][0]["image"].endswith(f":{version}")
        ]
