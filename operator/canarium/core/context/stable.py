"""Who is stable, and why: the revision that callers are meant to reach.

Theory. No single object can be trusted with this. Status is written after traffic has moved, and
may be lost; selectors and weights may be edited by hand, and lead to two versions in the midst of a
rollout; Deployments may be deleted. So there are several sources, and the strongest one that can be
believed decides:

1. **The traffic record** (annotations on the route, or on the callers' Service). It is written in
   the same patch as weights or selector, so it is true after a crash between any two writes (R18).
   It is not believed when nothing of the revision that it names exists, and neither the status nor
   the grant of a rollout vouches for it; nor when its own object leads to another revision, which
   the status names as stable: somebody edited the record, since a promotion changes both in one
   write.
2. **The status**, if its stable still exists. It may be one promotion behind: the record, which is
   not, comes first.
3. **Live traffic**: the only revision with weight on the route, else the one whose colour the
   Service selects. It tells who answers, which may be a standby or a candidate with all the weight.
4. **Records and Deployments.** Each ControllerRevision names its predecessor, which was stable when
   it was created, and a predecessor's Deployment is deleted only after its successor's promotion.

Being stable does not depend on being ready: a stable without pods is down, and who answers in its
place meanwhile is the business of `core.context.standby`.
"""

from __future__ import annotations

from dataclasses import dataclass

from canarium.api.status import Status
from canarium.core.facts.gateways import Route
from canarium.core.facts.observed import COLORS, Observed, Service
from canarium.core.facts.revision import QUARANTINED
from canarium.core.facts.traffic import TrafficView


@dataclass(frozen=True, slots=True)
class StableSources:
    """What is known of who is stable."""

    observed: Observed
    status: Status
    traffic: TrafficView

    def stable(self) -> str | None:
        """Returns the stable revision by the strongest source; None before the first promotion."""
        found = self.traffic.record_object
        if found and self._is_credible(found) and not self._is_contradicted(found):
            return found.traffic.stable
        if self.status.stable and self._exists(self.status.stable.revision):
            return self.status.stable.revision
        return self._by_live_traffic() or self._by_records()

    def _is_credible(self, found: Service | Route) -> bool:
        """Whether something of the record's stable exists, or the status or a grant vouches for it.

        A stable of which everything was deleted is down, and nobody is promoted in its place
        without an order (R12).
        """
        named = found.traffic.stable
        if named is None or self._exists(named):
            return named is not None
        stored = self.status.stable.revision if self.status.stable else None
        return named == stored or (stored is None and found.traffic.grant is not None)

    def _is_contradicted(self, found: Service | Route) -> bool:
        """Whether the record names a stable that its own object does not lead to, as after an edit
        by hand, while the status names one that it does."""
        named, stored = found.traffic, self.status.stable
        if stored is None or stored.revision == named.stable or not self._exists(stored.revision):
            return False
        if stored.revision == named.previous:
            return False  # Promoted since; the version before may answer for it (R15).
        alone = named.candidate in (None, named.stable)
        if isinstance(found, Route):
            return alone and any(w for name, w in found.weights if name != named.stable)
        if found.color == "":
            return alone
        deployments = (self.observed.deployment(x) for x in (named.stable, stored.revision))
        theirs, ours = (d.color if d else None for d in deployments)
        return named.candidate == named.stable or (
            found.color in COLORS and theirs != found.color == ours
        )

    def _by_live_traffic(self) -> str | None:
        service, route = self.observed.service, self.observed.route
        weighted = [name for name, weight in route.weights if weight] if route else []
        if len(weighted) == 1 and self._exists(weighted[0]):
            return weighted[0]
        if service and service.color:
            selected = (d for d in self.observed.deployments if d.color == service.color)
            return next((d.revision for d in selected), None)
        return None

    def _by_records(self) -> str | None:
        """Who was stable, by the records and Deployments alone.

        Where the newest record's predecessor has a Deployment, the newest was not promoted yet,
        else it was.
        """
        newest = max(self.observed.records, key=lambda r: r.number, default=None)
        if newest is None or newest.after is None:
            return None
        running = {d.revision for d in self.observed.deployments}
        if newest.after in running or newest.revision not in running:
            return newest.after
        return newest.revision if newest.verdict != QUARANTINED else newest.after

    def _exists(self, revision: str | None) -> bool:
        return self.observed.exists(revision)
