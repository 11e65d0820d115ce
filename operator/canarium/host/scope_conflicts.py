"""Other operators that look after the same namespaces: each says on its Lease which those are.

Replicas of one release share a Lease, and one of them leads. Two releases have one each, and helm
cannot see that they overlap when one is for all namespaces and the other for some. The claim (the
Lease with its scope) is written before the others' are read, so that of two that start at the
same time at least one sees the other.
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
    """What an operator notes on its Lease: `*`, or the names of namespaces.

    Which namespaces a label selects changes with time, so a selector counts as all of them.
    """
    return ",".join(sorted(settings.namespaces)) or _ALL


def common(one: str, other: str) -> str | None:
    """What two scopes share, in words; None when nothing."""
    if one == other == _ALL:
        return "all namespaces"
    if _ALL in (one, other):
        return (other if one == _ALL else one).replace(",", ", ")
    both = sorted({*one.split(",")} & {*other.split(",")})
    return ", ".join(both) or None


class ScopeConflicts:
    """The operators besides that of the namespace `home`."""

    def __init__(self, api: Api, home: str, own: str, timing: Timing) -> None:
        self._api, self._home, self._own, self._timing = api, home, own, timing
        self._seen: dict[str, tuple[Mapping[str, Any], float]] = {}
        self._blind = False

    async def found(self) -> list[str]:
        """Those that live and share a namespace with us, in words; nothing when it is forbidden
        to look."""
        try:
            listed = await self._api.list(LEASES, None, fieldSelector=f"metadata.name={LEASE}")
        except ApiError as error:
            if error.transient:
                return [f"other operators cannot be looked for: {error}"]
            if not self._blind:
                log.warning("other operators are not looked for: %s", error)
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
        return f"the operator of namespace {where} ({holder}) looks after {shared} already"

    def _lives(self, where: str, spec: Mapping[str, Any]) -> bool:
        """Only time since *we* saw the record change counts, as for a Lease of our own."""
        now = self._timing.clock()
        if where not in self._seen or self._seen[where][0] != spec:
            self._seen[where] = (spec, now)
        return now < self._seen[where][1] + float(spec.get("leaseDurationSeconds") or 15)
