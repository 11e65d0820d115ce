"""Which models a person may list: all, those of one namespace, or those of several."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from canarium_dashboard import paths
from canarium_dashboard.access.identity import Identity
from canarium_dashboard.api import ApiFault
from canarium_dashboard.dashboard import Dashboard
from canarium_dashboard.feeds import Feed
from canarium_dashboard.lines import Line


@dataclass(frozen=True, slots=True)
class Scope:
    """The feeds that a page shows. `limited` is set if the whole cluster may not be listed."""

    feeds: tuple[Feed, ...]
    limited: bool = False
    namespaces: tuple[str, ...] = ()

    @property
    def lines(self) -> list[Line]:
        """The lines of the models of all feeds."""
        return [line for feed in self.feeds for line in feed.lines.values()]

    @property
    def generation(self) -> int:
        """A number that rises with every change."""
        return sum(feed.generation for feed in self.feeds)

    @property
    def fault(self) -> ApiFault | None:
        """Why the models may be out of date."""
        return next((feed.fault for feed in self.feeds if feed.fault), None)


async def scope_of(dashboard: Dashboard, identity: Identity, namespace: str) -> Scope:
    """Returns the models of a namespace, or of all that the person may see.

    Raises ApiFault when there is nothing that may be listed.
    """
    if namespace:
        return await _ready(dashboard, identity, (namespace,), limited=False)
    everything = dashboard.feeds.of(identity, paths.models())
    try:
        await everything.ready()
    except ApiFault as fault:
        if fault.status != 403:
            raise
        listed = dashboard.settings.namespaces
        names = await dashboard.reads.namespaces(identity, listed)
        if not names:
            raise ApiFault(
                403,
                "You may list models neither in the whole cluster nor in a namespace that is known "
                f"here. Add ?namespace=NAME to the address. {fault.message}",
            ) from fault
        return await _ready(dashboard, identity, tuple(names), limited=True)
    return Scope((everything,))


async def _ready(
    dashboard: Dashboard, identity: Identity, names: tuple[str, ...], limited: bool
) -> Scope:
    feeds = tuple(dashboard.feeds.of(identity, paths.models(name)) for name in names)
    await asyncio.gather(*(feed.ready() for feed in feeds))
    return Scope(feeds, limited, names)
