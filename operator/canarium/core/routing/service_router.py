"""Router `Service`: the callers' Service selects one colour, or both while two share."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from canarium.api.reasons import RouteReason
from canarium.api.status import RouteStatus
from canarium.core.context.router import Blocker
from canarium.core.decision.plan import Action, DeleteBackend, DeleteRoute, SelectColor
from canarium.core.facts.grant import intended_weight
from canarium.core.facts.traffic_record import TrafficRecord
from canarium.core.facts.weights import needed, safe_to_select, share

if TYPE_CHECKING:
    from canarium.core.context.context import RolloutContext
    from canarium.core.decision.phase_result import PhaseResult
    from canarium.core.facts.observed import Service


class ServiceRouter:
    """The split is by ready pods, and by connection."""

    def witness(self, ctx: RolloutContext) -> Service | None:
        return ctx.observed.service

    def is_exposed(self, ctx: RolloutContext) -> bool:
        service = ctx.observed.service
        return bool(service and service.color == "" and service.traffic.candidate == ctx.target)

    def weight_applied(self, ctx: RolloutContext, weight: int) -> bool:
        # A share of nothing, of a spec whose router is not in effect yet, needs no selector.
        return not weight or (self.is_exposed(ctx) and ctx.observed.has_endpoints(ctx.target))

    def observed_weight(self, ctx: RolloutContext) -> int | None:
        return None

    def effective_weight(self, ctx: RolloutContext, revision: str) -> int:
        service, ready = ctx.observed.service, ctx.observed.ready(revision)
        deployment = ctx.observed.deployment(revision)
        if service and service.color == "":
            listed = [p for p in ctx.observed.pods if p.serves and p.name in service.endpoints]
            own = sum(1 for p in listed if p.revision == revision)
            return share(own, len(listed) - own)
        if deployment and service and service.color == deployment.color:
            return 100 if ready else 0
        return 0

    def routes_to(self, ctx: RolloutContext, revision: str) -> bool:
        service, deployment = ctx.observed.service, ctx.observed.deployment(revision)
        color = service.color if service else None
        selected = color == "" or (deployment is not None and color == deployment.color)
        return selected and ctx.observed.ready(revision) > 0

    def covers_for_stable(self, ctx: RolloutContext, revision: str) -> bool:
        service = ctx.observed.service
        return bool(
            service
            and service.color not in (None, ctx.stable_color)
            and self.routes_to(ctx, revision)
            and not (revision == ctx.target and ctx.entitled_weight)
        )

    def blocker(self, ctx: RolloutContext) -> Blocker | None:
        refused = ctx.observed.refused(f"Service {ctx.name}")
        if refused:
            conflict = refused.conflict
            reason = RouteReason.NAME_CONFLICT if conflict else RouteReason.WRITE_REFUSED
            return Blocker(reason, f"{refused.what}: {refused.message}", refused)
        if ctx.observed.route is None:
            return None
        return Blocker(
            RouteReason.ROUTER_CHANGING,
            f"waiting for the previous {ctx.observed.route.kind} to be deleted",
        )

    def is_frozen(self, ctx: RolloutContext) -> bool:
        return False

    def status(self, ctx: RolloutContext) -> RouteStatus | None:
        return None

    def pods_needed(self, weight: int, stable_count: int) -> int:
        return needed(weight, stable_count)

    def weight_follows_pods(self, ctx: RolloutContext) -> bool:
        return self.is_exposed(ctx) and not self.covers_for_stable(ctx, ctx.target)

    def candidate_color(self, ctx: RolloutContext) -> str | None:
        routed = ctx.observed.service is not None and ctx.observed.service.color == ctx.stable_color
        return ctx.free_color(ctx.target) if routed else None

    def set_weight(self, ctx: RolloutContext, weight: int) -> list[Action]:
        return (
            [] if self.is_exposed(ctx) else [SelectColor("", TrafficRecord(ctx.stable, ctx.target))]
        )

    def hold_weight(self, ctx: RolloutContext, *, relief: bool) -> list[Action]:
        if relief:
            return []
        if ctx.observed.has_endpoints(ctx.target) or not ctx.progress.weight:
            return []
        return self.set_weight(ctx, ctx.progress.weight)

    def fail_over(self, ctx: RolloutContext, to: str) -> list[Action]:
        """Selects both, so that endpoints follow readiness without any other write; only the
        standby where the pods of a third revision would be selected too (R4)."""
        service, standby = ctx.observed.service, ctx.observed.deployment(to)
        if standby is None or (service is not None and service.color in ("", standby.color)):
            return []
        others = {p.revision for p in ctx.observed.pods if p.serves} - {ctx.stable, to}
        alone = others and safe_to_select(standby.color, ctx.observed)
        return [SelectColor(standby.color if alone else "", self._record(ctx, to))]

    def _record(self, ctx: RolloutContext, to: str) -> TrafficRecord:
        service = ctx.observed.service
        record = service.traffic if service else TrafficRecord()
        candidate = to if to == ctx.target else None
        return replace(record, stable=ctx.stable, candidate=candidate, previous=ctx.previous)

    def fail_back(self, ctx: RolloutContext, result: PhaseResult) -> list[Action]:
        service, color = ctx.observed.service, ctx.stable_color
        if result.candidate and result.progress and intended_weight(result.progress):
            return []
        if service is None or color is None or service.color in (None, color):
            return []
        actions: list[Action] = []
        self.route_all_to_stable(ctx, actions, candidate=result.candidate)
        return actions

    def route_all_to_stable(
        self, ctx: RolloutContext, actions: list[Action], candidate: str | None = None
    ) -> bool:
        service = ctx.observed.service
        color = ctx.stable_color
        if ctx.standby:
            actions += [] if ctx.has_failed(ctx.standby) else self.fail_over(ctx, ctx.standby)
            return False
        if color is None:
            return False
        wrong = (
            service is None
            or service.color != color
            or service.traffic.stable != ctx.stable
            or service.traffic.candidate not in (None, candidate)
        )
        if wrong and not safe_to_select(color, ctx.observed):
            return False
        if wrong:
            kept = ctx.target if ctx.quarantined else None
            moved = TrafficRecord(ctx.stable, candidate, quarantined=kept, previous=ctx.previous)
            actions.append(SelectColor(color, moved))
        others = {p.name for p in ctx.observed.pods if p.revision != ctx.stable}
        return service is not None and service.color == color and not others & service.endpoints

    def can_fall_back(self, ctx: RolloutContext) -> bool:
        return safe_to_select(ctx.stable_color, ctx.observed)

    def roll_back(self, ctx: RolloutContext) -> list[Action]:
        return [SelectColor(ctx.stable_color, TrafficRecord(ctx.stable, quarantined=ctx.target))]

    def ready_to_promote(self, ctx: RolloutContext) -> bool:
        """Pods whose colour somebody changed would not be selected (R0)."""
        deployment = ctx.observed.deployment(ctx.target)
        return deployment is not None and safe_to_select(deployment.color, ctx.observed)

    def promote(
        self, ctx: RolloutContext, revision: str, color: str, previous: str | None, since: str
    ) -> list[Action]:
        return [SelectColor(color, TrafficRecord(revision, previous=previous, promoted_at=since))]

    def undo(self, ctx: RolloutContext) -> list[Action]:
        previous = ctx.observed.deployment(ctx.previous)
        assert previous is not None
        return [SelectColor(previous.color, TrafficRecord(ctx.previous, quarantined=ctx.target))]

    def repair(self, ctx: RolloutContext, result: PhaseResult) -> list[Action]:
        """Nothing that a route needed is left once there is none (R2, R12)."""
        route = ctx.observed.route
        if route:
            return [DeleteRoute(route.kind, route.uid)]
        return [DeleteBackend(backend.revision, backend.uid) for backend in ctx.observed.backends]

    def requeue_after(self, ctx: RolloutContext) -> float | None:
        return None
