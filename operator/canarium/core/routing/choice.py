"""Which router is in effect. A model's router changes only between rollouts (R12)."""

from __future__ import annotations

from canarium.api.effective_spec import EffectiveSpec
from canarium.api.status import Status
from canarium.core.context.context import RolloutContext
from canarium.core.context.router import Router
from canarium.core.facts.observed import Observed
from canarium.core.facts.route_traffic import RouteTraffic
from canarium.core.facts.service_traffic import ServiceTraffic
from canarium.core.facts.traffic import TrafficView, kind_in_effect
from canarium.core.routing.service_router import ServiceRouter
from canarium.core.routing.weighted_router import WeightedRouter


def chosen(
    observed: Observed, status: Status, settings: EffectiveSpec, now: float
) -> tuple[TrafficView, Router[RolloutContext]]:
    """Returns the view of live traffic and the router that moves it."""
    kind = kind_in_effect(observed, status, settings)
    if kind is None:
        return ServiceTraffic(observed, status, now), ServiceRouter()
    return RouteTraffic(observed, status, now, kind), WeightedRouter(kind)
