"""A registry with one alias, which moves; requests take time, and may find nothing."""

from __future__ import annotations

import asyncio

from canarium.core.facts.resolution import Resolution, ResolveRequest
from canarium.sources.registries import Key


class Registry:
    """Stands in for `canarium.sources.registries.Registries`."""

    def __init__(self) -> None:
        self.version = 1
        self.away = False
        self.latency = 0.05
        #: Everything that it has ever answered.
        self.answered: set[str] = set()

    @property
    def uri(self) -> str:
        """What the alias stands for now."""
        return result(self.version)

    async def resolve(self, key: Key, request: ResolveRequest) -> Resolution:
        uri, away = self.uri, self.away
        await asyncio.sleep(self.latency)
        if away:
            return Resolution(request, reason="SourceUnavailable", message="no route to host")
        self.answered.add(uri)
        return Resolution(request, uri)

    def wait_left(self, namespace: str, request: ResolveRequest) -> float:
        """It limits no requests."""
        return 0.0

    def forget(self, key: Key) -> None:
        """Nothing is remembered of a model."""


def result(version: int) -> str:
    """The URI of a version."""
    return f"mlflow://fraud/{version}"
