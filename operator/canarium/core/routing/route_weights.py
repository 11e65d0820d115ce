"""Desired weights of a route, and their comparison with the live ones."""

from __future__ import annotations

from canarium.api.route_kind import RouteKind
from canarium.core.context.context import RolloutContext
from canarium.core.decision.plan import SetRouteWeights
from canarium.core.facts.gateways import Route
from canarium.core.facts.traffic_record import TrafficRecord
from canarium.core.times import stamp


def all_on(
    ctx: RolloutContext, kind: RouteKind, revision: str | None, candidate: str | None = None
) -> SetRouteWeights | None:
    """Returns a write that routes all traffic to `revision`; None without a revision.

    Other running revisions stay backends, so that their counters continue. `candidate` stays on
    record if it is there, since its grant is; a different one alone does not cause a write.
    """
    if revision is None:
        return None
    route = ctx.traffic.route
    now = [name for name, _ in (route.weights if route else ())]
    listed = [n for n in now if n in (revision, ctx.stable) or ctx.observed.deployment(n)]
    listed = [*(n for n in (revision,) if n not in listed), *listed]
    named = route.traffic.candidate if route else None
    return SetRouteWeights(
        kind,
        tuple((name, 100 if name == revision else 0) for name in listed),
        TrafficRecord(
            ctx.stable,
            candidate=candidate if candidate and candidate == named else None,
            quarantined=ctx.target if ctx.quarantined else None,
            previous=ctx.previous,
            promoted_at=stamp(ctx.bake_start) if ctx.previous else None,
        ),
        rolls_back=ctx.quarantined,
    )


def is_safe(ctx: RolloutContext, wanted: SetRouteWeights) -> bool:
    """Returns whether a write moves no traffic from revisions with ready pods to others (R0).

    A pod that its ReplicaSet has released still answers: the Service of its revision selects it.
    """
    route = ctx.traffic.route
    now = {name for name, weight in (route.weights if route else ()) if weight}
    then = {name for name, weight in wanted.weights if weight}
    if any(ctx.observed.ready(name) for name in then):
        return True
    return not any(pod.serves and pod.revision in now for pod in ctx.observed.running_pods)


def is_applied(route: Route | None, wanted: SetRouteWeights) -> bool:
    """Returns whether the route has the weights of a write, for the same stable and candidate.

    The previous or failed revision is recorded with the next change: alone it does not cause a
    write.
    """

    def split(of: Route | SetRouteWeights) -> tuple[object, ...]:
        return dict(of.weights), of.traffic.stable, of.traffic.candidate, of.direct

    return route is not None and split(route) == split(wanted)


def reaches_directly(ctx: RolloutContext, weight: int) -> bool:
    """Returns whether the candidate receives requests besides its weight: by a header, or
    mirrored."""
    route = ctx.settings.route
    return bool(route and (route.header or (route.mirror and weight == 0)))
