"""Determines which revision is stable: the one that owns production traffic.

Theory. No single object is sufficient. The status is written after traffic has moved, and may be
lost; selectors and weights may be edited by hand, and select two versions during a rollout;
Deployments may be deleted. So there are several sources, and the strongest credible one decides:

1. **The traffic record** (annotations on the route, or on the callers' Service). It is written in
   the same patch as weights or selector, so it is correct after a crash between any two writes
   (R18). It is not credible if nothing of its stable revision exists and neither the status nor the
   grant of a rollout confirms it. Nor is it credible if its own object routes to another revision
   that the status names as stable: the record was edited by hand, since a promotion changes both in
   one write.
2. **The status**, if its stable still exists. It may be one promotion behind the record, which
   therefore takes precedence.
3. **Live traffic**: the only revision with weight on the route, else the one whose colour the
   Service selects. It shows which revision serves, which may be a standby or a candidate with all
   the weight.
4. **Records and Deployments.** Each ControllerRevision names its predecessor, which was stable when
   it was created, and a predecessor's Deployment is deleted only after its successor's promotion.

Being stable does not depend on being ready: a stable revision without pods is down, and
`core.context.standby` determines which revision serves in its place.
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
    """The sources from which the stable revision is determined."""

    observed: Observed
    status: Status
    traffic: TrafficView

    def stable(self) -> str | None:
        """Returns the stable revision by the strongest source; None before the first promotion."""
        holder = self.traffic.record_object
        if holder and self._is_credible(holder) and not self._is_contradicted(holder):
            return holder.traffic.stable
        if self.status.stable and self._exists(self.status.stable.revision):
            return self.status.stable.revision
        return self._by_live_traffic() or self._by_records()

    def _is_credible(self, holder: Service | Route) -> bool:
        """Returns whether the record's stable exists, or the status or a grant confirms it.

        A stable revision of which everything was deleted is down, and no other one is promoted in
        its place without a command (R12).
        """
        named = holder.traffic.stable
        if named is None or self._exists(named):
            return named is not None
        stored = self.status.stable.revision if self.status.stable else None
        return named == stored or (stored is None and holder.traffic.grant is not None)

    def _is_contradicted(self, holder: Service | Route) -> bool:
        """Returns whether the object that holds the record routes to the status' stable and not
        to the record's, as after an edit of the record by hand."""
        record, stored = holder.traffic, self.status.stable
        if stored is None or stored.revision == record.stable or not self._exists(stored.revision):
            return False
        if stored.revision == record.previous:
            return False  # Promoted since; the previous version may serve for it (R15).
        alone = record.candidate in (None, record.stable)
        if isinstance(holder, Route):
            return alone and any(w for name, w in holder.weights if name != record.stable)
        if holder.color == "":
            return alone
        deployments = (self.observed.deployment(x) for x in (record.stable, stored.revision))
        recorded_color, stored_color = (d.color if d else None for d in deployments)
        return record.candidate == record.stable or (
            holder.color in COLORS and recorded_color != holder.color == stored_color
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
        """Returns the stable revision by records and Deployments alone.

        If the predecessor of the newest record has a Deployment, the newest was not promoted yet.
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
