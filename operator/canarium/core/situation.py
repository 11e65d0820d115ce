"""What the facts of one moment mean: who is stable, who is wanted, what may be touched.

The callers' Service is the witness of who is stable: its annotations change in the same write
as its selector, so they are true after a crash between any two writes (R18). The status comes
second, the records' verdicts third.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from canarium.api.defaults import Settings
from canarium.api.status import Progress, Status
from canarium.core.observed import COLORS, Observed
from canarium.core.revision import Minted, find, mint

STABLE_DOWN_GRACE = 10.0
QUARANTINED = "Quarantined"


@dataclass(frozen=True)
class Situation:
    """Facts, settings and the clock (`now`, POSIX seconds), with what follows from them."""

    name: str
    spec: Mapping[str, Any]
    settings: Settings
    status: Status
    observed: Observed
    now: float

    @cached_property
    def minted(self) -> Minted | None:
        """The revision to store when no record has this spec's identity."""
        known = find(self.spec, self.observed.records)
        return None if known else mint(self.spec, self.observed.records, after=self.stable)

    @cached_property
    def target(self) -> str:
        """The revision that the spec asks for."""
        known = find(self.spec, self.observed.records)
        return known.revision if known else mint(self.spec, self.observed.records).revision

    @cached_property
    def stable(self) -> str | None:
        service = self.observed.service
        if service and service.stable:
            return service.stable
        if self.status.stable and self.observed.record(self.status.stable.revision):
            return self.status.stable.revision
        return self._served_last

    @cached_property
    def _served_last(self) -> str | None:
        """Who was stable, by the records and Deployments alone.

        A Deployment goes only after its successor was promoted: where the newest record's
        predecessor has one, the newest was not promoted yet, else it was.
        """
        newest = max(self.observed.records, key=lambda r: r.number, default=None)
        if newest is None or newest.after is None:
            return None
        running = {d.revision for d in self.observed.deployments}
        if newest.after in running or newest.revision not in running:
            return newest.after
        return newest.revision if newest.verdict != QUARANTINED else newest.after

    @cached_property
    def promoted(self) -> frozenset[str]:
        """Revisions known to have been promoted once: who serves, and who served when another
        record was made. A record of its own for that would be a write that tells nothing new.
        """
        noted = {r.after for r in self.observed.records} | {
            r.revision for r in self.observed.records if r.promoted_at
        }
        told = {o.revision for o in self.status.history if o.outcome == "Promoted"}
        return frozenset(x for x in (self.stable, *noted, *told) if x)

    @cached_property
    def previous(self) -> str | None:
        """The warm old revision while baking."""
        if self.status.previous and self.status.bake_since:
            revision = self.status.previous.revision
            if revision != self.stable and self.observed.deployment(revision):
                return revision
        return None

    @cached_property
    def quarantined(self) -> bool:
        """Whether the wanted revision has failed before (R9)."""
        service, record = self.observed.service, self.observed.record(self.target)
        return (
            bool(service and service.quarantined == self.target)
            or bool(record and record.verdict == QUARANTINED)
            or bool(self.status.failure and self.status.failure.revision == self.target)
        )

    @cached_property
    def count(self) -> int:
        """N: how many pods stable is meant to have now (R5)."""
        if not self.settings.autoscaled:
            return self.settings.replicas or 0
        deployment = self.observed.deployment(self.stable)
        live = deployment.replicas if deployment else 0
        return max(self.settings.min_replicas, min(live, self.settings.max_replicas))

    @cached_property
    def stable_color(self) -> str | None:
        deployment = self.observed.deployment(self.stable)
        return deployment.color if deployment else None

    @cached_property
    def free_color(self) -> str | None:
        taken = self.observed.colors_taken()
        return next((color for color in COLORS if color not in taken), None)

    @cached_property
    def stable_broken(self) -> bool:
        """Stable has had no ready pod for a while (R13)."""
        since = self.down_since
        return since is not None and self.now - since >= STABLE_DOWN_GRACE

    @cached_property
    def down_since(self) -> float | None:
        if self.stable is None or self.count == 0 or self.observed.ready(self.stable):
            return None
        if self.status.stable_down_since:
            return parse(self.status.stable_down_since)
        return self.now

    @cached_property
    def progress(self) -> Progress:
        """The candidate's progress; fresh when the status speaks of another candidate."""
        candidate = self.status.candidate
        if candidate and candidate.revision == self.target and self.status.progress:
            return self.status.progress
        return Progress()

    @cached_property
    def strays(self) -> tuple[str, ...]:
        """Revisions with a Deployment that has no part in what is wanted now."""
        keep = {self.stable, self.target, self.previous}
        return tuple(
            d.revision
            for d in self.observed.deployments
            if d.revision not in keep and not d.terminating
        )


def parse(text: str) -> float:
    """POSIX seconds of an RFC 3339 time in UTC, as we write them."""

    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def stamp(moment: float) -> str:
    """RFC 3339 in UTC with milliseconds: short steps need more than whole seconds."""

    text = datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
