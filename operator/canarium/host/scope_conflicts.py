"""Detects other operators that manage the same namespaces, by the scopes on their Leases.

Replicas of one release share a Lease, and one of them leads. Two releases have one Lease each, and
Helm cannot detect that their scopes overlap. An operator writes its own scope before it reads the
others', so of two that start at the same time at least one detects the other.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from canarium import GROUP
from canarium.config import Config
from canarium.kube.client import Api
from canarium.kube.clock import Timing
from canarium.kube.errors import ApiError
from canarium.kube.resources import LEASES

log = logging.getLogger(__name__)
LEASE = "canarium"
SCOPE = f"{GROUP}/scope"
_ALL = "*"


def scope(settings: Config) -> str:
    """Returns the scope on an operator's Lease: `*`, or the names of namespaces.

    The namespaces that a label selector matches change over time, so it counts as all of them.
    """
    return ",".join(sorted(settings.namespaces)) or _ALL


def common(one: str, other: str) -> str | None:
    """Returns the namespaces that two scopes share, as text; None if they are disjoint."""
    if one == other == _ALL:
        return "all namespaces"
    if _ALL in (one, other):
        return (other if one == _ALL else one).replace(",", ", ")
    both = sorted({*one.split(",")} & {*other.split(",")})
    return ", ".join(both) or None


class ScopeConflicts:
    """The operators besides the one in namespace `home`."""

    def __init__(self, api: Api, home: str, own: str, timing: Timing) -> None:
        self._api, self._home, self._own, self._timing = api, home, own, timing
        self._observed: dict[str, tuple[Mapping[str, Any], float]] = {}
        self._blind = False

    async def conflicts(self) -> list[str]:
        """Returns a message for each live operator whose scope overlaps ours; none if Leases may
        not be listed."""
        try:
            listed = await self._api.list(LEASES, None, fieldSelector=f"metadata.name={LEASE}")
        except ApiError as error:
            if error.transient:
                return [f"cannot check for other operators: {error}"]
            if not self._blind:
                log.warning("not checking for other operators: %s", error)
            self._blind = True
            return []
        return [text for lease in listed["items"] if (text := self._rival(lease))]

    def _rival(self, lease: Mapping[str, Any]) -> str | None:
        meta, spec = lease["metadata"], lease.get("spec") or {}
        where, theirs = meta["namespace"], (meta.get("annotations") or {}).get(SCOPE)
        holder = spec.get("holderIdentity")
        if where == self._home or not theirs or not holder or not self._lives(where, spec):
            return None
        shared = common(self._own, theirs)
        if shared is None:
            return None
        return f"another Canarium operator ({holder}, namespace {where}) already manages {shared}"

    def _lives(self, where: str, spec: Mapping[str, Any]) -> bool:
        """Returns whether a Lease is held. Only time since *we* observed a change counts, as in
        `kube.lease`."""
        now = self._timing.clock()
        if where not in self._observed or self._observed[where][0] != spec:
            self._observed[where] = (spec, now)
        return now < self._observed[where][1] + float(spec.get("leaseDurationSeconds") or 15)
