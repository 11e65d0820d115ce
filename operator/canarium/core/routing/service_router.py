"""Router `Service`: the callers' Service selects one colour, or both while two share."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from canarium.api.reasons import RouteReason
from canarium.api.status import RouteStatus
from canarium.core.context.router import Fault
from canarium.core.decision.plan import Action, Conceal, RemoveRoute, Route
from canarium.core.facts.grant import asked
from canarium.core.facts.traffic_record import TrafficRecord
from canarium.core.facts.weights import needed, safe_to_select, share

if TYPE_CHECKING:
    from canarium.core.context.context import Situation
    from canarium.core.decision.phase_result import PhaseResult
    from canarium.core.facts.observed import Service


class ByService:
    """The split is by ready pods, and by connection."""

    def witness(self, s: Situation) -> Service | None:
        return s.observed.service

    def given(self, s: Situation) -> bool:
        service = s.observed.service
        return bool(service and service.color == "" and service.traffic.candidate == s.target)

    def taken(self, s: Situation, weight: int) -> bool:
        # A share of nothing, of a spec whose router is not in effect yet, needs no selector.
        return not weight or (self.given(s) and s.observed.served_by(s.target))

    def split(self, s: Situation) -> int | None:
        return None

    def share(self, s: Situation, revision: str) -> int:
        service, ready = s.observed.service, s.observed.ready(revision)
        deployment = s.observed.deployment(revision)
        if service and service.color == "":
            return share(ready, sum(1 for p in s.observed.pods if p.serves) - ready)
        if deployment and service and service.color == deployment.color:
            return 100 if ready else 0
        return 0

    def leads_to(self, s: Situation, revision: str) -> bool:
        service, deployment = s.observed.service, s.observed.deployment(revision)
        color = service.color if service else None
        selected = color == "" or (deployment is not None and color == deployment.color)
        return selected and s.observed.ready(revision) > 0

    def covers(self, s: Situation, revision: str) -> bool:
        service = s.observed.service
        return bool(
            service
            and service.color not in (None, s.stable_color)
            and self.leads_to(s, revision)
            and not (revision == s.target and s.entitled)
        )

    def fault(self, s: Situation) -> Fault | None:
        refused = s.observed.refused(f"Service {s.name}")
        if refused:
            conflict = refused.conflict
            reason = RouteReason.NAME_CONFLICT if conflict else RouteReason.WRITE_REFUSED
            return Fault(reason, f"{refused.what}: {refused.message}", refused)
        if s.observed.route is None:
            return None
        return Fault(
            RouteReason.ROUTER_CHANGING,
            f"waiting for the previous {s.observed.route.kind} to be deleted",
        )

    def frozen(self, s: Situation) -> bool:
        return False

    def status(self, s: Situation) -> RouteStatus | None:
        return None

    def needed(self, weight: int, stable_count: int) -> int:
        return needed(weight, stable_count)

    def rises_by_pods(self, s: Situation) -> bool:
        return self.given(s) and not self.covers(s, s.target)

    def color(self, s: Situation) -> str | None:
        routed = s.observed.service is not None and s.observed.service.color == s.stable_color
        return s.color_for(s.target) if routed else None

    def give(self, s: Situation, weight: int) -> list[Action]:
        return [] if self.given(s) else [Route("", TrafficRecord(s.stable, s.target))]

    def keep(self, s: Situation, *, relief: bool) -> list[Action]:
        if relief:
            return []
        if s.observed.served_by(s.target) or not s.progress.weight:
            return []
        return self.give(s, s.progress.weight)

    def fail_over(self, s: Situation, to: str) -> list[Action]:
        """Selects both, so that endpoints follow readiness without any other write; only the
        standby where the pods of a third revision would be selected too (R4)."""
        service, standby = s.observed.service, s.observed.deployment(to)
        if standby is None or (service is not None and service.color in ("", standby.color)):
            return []
        others = {p.revision for p in s.observed.pods if p.serves} - {s.stable, to}
        alone = others and safe_to_select(standby.color, s.observed)
        return [Route(standby.color if alone else "", self._record(s, to))]

    def _record(self, s: Situation, to: str) -> TrafficRecord:
        service = s.observed.service
        record = service.traffic if service else TrafficRecord()
        candidate = to if to == s.target else None
        return replace(record, stable=s.stable, candidate=candidate, previous=s.previous)

    def fail_back(self, s: Situation, result: PhaseResult) -> list[Action]:
        service, color = s.observed.service, s.stable_color
        if result.candidate and result.progress and asked(result.progress):
            return []
        if service is None or color is None or service.color in (None, color):
            return []
        actions: list[Action] = []
        self.withdraw(s, actions, candidate=result.candidate)
        return actions

    def withdraw(self, s: Situation, actions: list[Action], candidate: str | None = None) -> bool:
        service = s.observed.service
        color = s.stable_color
        if s.standby:
            actions += [] if s.has_failed(s.standby) else self.fail_over(s, s.standby)
            return False
        if color is None:
            return False
        wrong = (
            service is None
            or service.color != color
            or service.traffic.stable != s.stable
            or service.traffic.candidate not in (None, candidate)
        )
        if wrong and not safe_to_select(color, s.observed):
            return False
        if wrong:
            kept = s.target if s.quarantined else None
            moved = TrafficRecord(s.stable, candidate, quarantined=kept, previous=s.previous)
            actions.append(Route(color, moved))
        others = {p.name for p in s.observed.pods if p.revision != s.stable}
        return service is not None and service.color == color and not others & service.endpoints

    def may_return(self, s: Situation) -> bool:
        return safe_to_select(s.stable_color, s.observed)

    def back(self, s: Situation) -> list[Action]:
        return [Route(s.stable_color, TrafficRecord(s.stable, quarantined=s.target))]

    def ready_to_promote(self, s: Situation) -> bool:
        """Pods whose colour somebody changed would not be selected (R0)."""
        deployment = s.observed.deployment(s.target)
        return deployment is not None and safe_to_select(deployment.color, s.observed)

    def promote(
        self, s: Situation, revision: str, color: str, previous: str | None, since: str
    ) -> list[Action]:
        return [Route(color, TrafficRecord(revision, previous=previous, promoted_at=since))]

    def undo(self, s: Situation) -> list[Action]:
        previous = s.observed.deployment(s.previous)
        assert previous is not None
        return [Route(previous.color, TrafficRecord(s.previous, quarantined=s.target))]

    def upkeep(self, s: Situation, result: PhaseResult) -> list[Action]:
        """Nothing that a route needed is left once there is none (R2, R12)."""
        route = s.observed.route
        if route:
            return [RemoveRoute(route.kind, route.uid)]
        return [Conceal(backend.revision, backend.uid) for backend in s.observed.backends]

    def recheck(self, s: Situation) -> float | None:
        return None
