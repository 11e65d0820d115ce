"""Router `Service`: the callers' Service selects one colour, or both while two share."""

from __future__ import annotations

from dataclasses import replace

from canarium.api.reasons import RouteReason
from canarium.core.context.context import RolloutContext
from canarium.core.context.router import Blocker
from canarium.core.context.standby import serves_for_stable
from canarium.core.decision.phase_result import PhaseResult
from canarium.core.decision.plan import Action, DeleteBackend, DeleteRoute, SelectColor
from canarium.core.facts.grant import intended_weight
from canarium.core.facts.object_ref import ObjectRef
from canarium.core.facts.traffic_record import TrafficRecord
from canarium.core.facts.weights import safe_to_select


class ServiceRouter:
    """The split is by ready pods, and by connection."""

    # --- queries ----------------------------------------------------------------------------

    def weight_applied(self, ctx: RolloutContext, weight: int) -> bool:
        return ctx.traffic.has_weight(ctx.target, weight)

    def stable_has_all(self, ctx: RolloutContext) -> bool:
        service, color = ctx.observed.service, ctx.stable_color
        if ctx.standby or color is None or service is None:
            return False
        others = {p.name for p in ctx.observed.pods if p.revision != ctx.stable}
        return service.color == color and not others & service.endpoints

    def blocker(self, ctx: RolloutContext) -> Blocker | None:
        rejected = ctx.observed.rejected(ObjectRef("Service", ctx.name))
        if rejected:
            conflict = rejected.conflict
            reason = RouteReason.NAME_CONFLICT if conflict else RouteReason.WRITE_REJECTED
            return Blocker(reason, rejected.quoted(), rejected)
        if ctx.observed.route is None:
            return None
        return Blocker(
            RouteReason.ROUTER_CHANGING,
            f"waiting for the previous {ctx.observed.route.kind} to be deleted",
        )

    def is_frozen(self, ctx: RolloutContext) -> bool:
        return False

    def weight_follows_pods(self, ctx: RolloutContext) -> bool:
        return ctx.candidate_has_traffic and not serves_for_stable(ctx, ctx.target)

    def candidate_color(self, ctx: RolloutContext) -> str | None:
        routed = ctx.observed.service is not None and ctx.observed.service.color == ctx.stable_color
        return ctx.free_color(ctx.target) if routed else None

    def set_weight(self, ctx: RolloutContext, weight: int) -> list[Action]:
        return (
            []
            if ctx.candidate_has_traffic
            else [SelectColor("", TrafficRecord(ctx.stable, ctx.target))]
        )

    def hold_weight(self, ctx: RolloutContext, *, relief: bool) -> list[Action]:
        if relief:
            return []
        if ctx.observed.has_endpoints(ctx.target) or not ctx.progress.weight:
            return []
        return self.set_weight(ctx, ctx.progress.weight)

    def fail_over(self, ctx: RolloutContext, to: str) -> list[Action]:
        """Selects both colours, so that endpoints follow readiness without another write.

        Selects only the standby if pods of a third revision would be selected too (R4).
        """
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
        progress = result.progress if result.candidate else None
        if service is None or self._selects_no_version(ctx):
            restores_both = progress and progress.weight and ctx.observed.ready(ctx.target)
            both = self.set_weight(ctx, progress.weight) if progress and restores_both else []
            return both or self.route_all_to_stable(ctx, candidate=result.candidate)
        if (progress and intended_weight(progress)) or color in (None, service.color):
            return []
        return self.route_all_to_stable(ctx, candidate=result.candidate)

    def _selects_no_version(self, ctx: RolloutContext) -> bool:
        """Returns whether the Service selects a color of no version, as after an edit (R23)."""
        service, colors = ctx.observed.service, {d.color for d in ctx.observed.deployments}
        return service is not None and service.color not in ("", *colors)

    def route_all_to_stable(
        self, ctx: RolloutContext, candidate: str | None = None
    ) -> list[Action]:
        service, color = ctx.observed.service, ctx.stable_color
        if ctx.standby:
            return [] if ctx.has_failed(ctx.standby) else self.fail_over(ctx, ctx.standby)
        wrong = (
            service is None
            or service.color != color
            or service.traffic.stable != ctx.stable
            or service.traffic.candidate not in (None, candidate)
        )
        if color is None or not wrong or not safe_to_select(color, ctx.observed):
            return []
        failed = ctx.target if ctx.quarantined else None
        record = TrafficRecord(ctx.stable, candidate, quarantined=failed, previous=ctx.previous)
        return [SelectColor(color, record, rolls_back=ctx.quarantined)]

    def can_fall_back(self, ctx: RolloutContext) -> bool:
        return safe_to_select(ctx.stable_color, ctx.observed)

    def roll_back(self, ctx: RolloutContext) -> list[Action]:
        record = TrafficRecord(ctx.stable, quarantined=ctx.target)
        return [SelectColor(ctx.stable_color, record, rolls_back=True)]

    def ready_to_promote(self, ctx: RolloutContext) -> bool:
        """Returns whether the Service would select ready pods of the target: pods may have been
        relabelled (R0)."""
        deployment = ctx.observed.deployment(ctx.target)
        return deployment is not None and safe_to_select(deployment.color, ctx.observed)

    def promote(
        self, ctx: RolloutContext, revision: str, color: str, previous: str | None, since: str
    ) -> list[Action]:
        return [SelectColor(color, TrafficRecord(revision, previous=previous, promoted_at=since))]

    def undo(self, ctx: RolloutContext) -> list[Action]:
        previous = ctx.observed.deployment(ctx.previous)
        assert previous is not None
        record = TrafficRecord(ctx.previous, quarantined=ctx.target)
        return [SelectColor(previous.color, record, rolls_back=True)]

    def repair(self, ctx: RolloutContext, result: PhaseResult) -> list[Action]:
        """Deletes the route and its Services after a change to this router (R2, R12)."""
        route = ctx.observed.route
        if route:
            return [DeleteRoute(route.kind, route.uid)]
        return [DeleteBackend(backend.revision, backend.uid) for backend in ctx.observed.backends]

    def requeue_after(self, ctx: RolloutContext) -> float | None:
        return None
