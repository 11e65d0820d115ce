"""Defaults, applied by the operator and never written back: one place says what absent means."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from canarium.api.analysis import Analysis
from canarium.api.base import seconds
from canarium.api.gateway import Gateway
from canarium.api.model_deployment import Scaling, Spec, Traffic

MANUAL = "Manual"
#: What scheduling, pulling and fetching may take before a server starts, in the default.
_BEFORE_STARTUP = 300.0
HOLD = "Hold"


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a rollout: `weight` in percent, `pause` in seconds, or None until promoted."""

    weight: int
    pause: float | None


@dataclass(frozen=True, slots=True)
class Judging:
    """How versions are judged while they have traffic. Times are in seconds."""

    interval: float
    window: float
    on_insufficient: str
    from_weight: int
    during_bake: bool


@dataclass(frozen=True, slots=True)
class Routing:
    """The route that is wanted, as far as decisions need it; `delay` is in seconds."""

    #: The kind of its object.
    kind: str
    #: Whether a header leads to the candidate, and whether requests are mirrored at weight 0.
    header: bool = False
    mirror: bool = False
    #: Features of the Gateway API that it needs, each with the field that asks for it.
    needs: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything of a spec but its identity, with defaults filled in. Times are in seconds."""

    strategy: str
    steps: tuple[Step, ...]
    progress_deadline: float
    unschedulable_deadline: float
    bake_time: float
    replicas: int | None
    min_replicas: int
    max_replicas: int
    paused: bool
    history_limit: int
    #: Whether a version has to pass smoke tests before its first traffic.
    gated: bool = False
    judging: Judging | None = None
    #: None: the callers' Service alone.
    routing: Routing | None = None
    scale_down_delay: float = 30.0

    @property
    def autoscaled(self) -> bool:
        return self.replicas is None

    @property
    def base(self) -> int:
        """How many replicas a revision starts with when nothing runs yet."""
        return self.min_replicas if self.replicas is None else self.replicas


def settings_of(spec: Spec, startup_budget: float | None = None) -> Settings:
    """The settings that `spec` means, for a server that may take `startup_budget` to load."""
    rollout = spec.rollout
    scaling = spec.scaling or Scaling()
    replicas, low, high = _scaling(scaling)

    def duration(text: str | None, default: float) -> float:
        return default if text is None else seconds(text)

    steps: tuple[Step, ...] = ()
    if rollout and rollout.steps and rollout.strategy in (None, "Canary"):
        steps = tuple(
            Step(
                step.weight,
                None if step.pause == MANUAL else seconds(step.pause) if step.pause else 0.0,
            )
            for step in rollout.steps
        )
    return Settings(
        strategy=(rollout.strategy if rollout else None) or "Canary",
        steps=steps,
        progress_deadline=duration(
            rollout.progress_deadline if rollout else None,
            max(600.0, (startup_budget or 0.0) + _BEFORE_STARTUP),
        ),
        unschedulable_deadline=duration(rollout.unschedulable_deadline if rollout else None, 300.0),
        bake_time=duration(rollout.bake_time if rollout else None, 600.0),
        replicas=replicas,
        min_replicas=low,
        max_replicas=high,
        paused=bool(spec.paused),
        history_limit=spec.revision_history_limit or 10,
        gated=bool(rollout and rollout.smoke_tests),
        judging=_judging(rollout.analysis) if rollout and rollout.analysis else None,
        routing=_routing(spec.traffic) if spec.traffic else None,
        scale_down_delay=duration(rollout.scale_down_delay if rollout else None, 30.0),
    )


def _routing(traffic: Traffic) -> Routing | None:
    gateway, istio = traffic.gateway, traffic.istio
    if traffic.router == "Istio" and istio:
        asked = istio.header_match
        return Routing(
            kind="VirtualService",
            header=asked is None or asked.enabled is not False,
            mirror=istio.mirror is not None,
        )
    if traffic.router != "Gateway" or gateway is None:
        return None
    match = gateway.header_match
    return Routing(
        kind="GRPCRoute" if gateway.protocol == "GRPC" else "HTTPRoute",
        header=match is None or match.enabled is not False,
        mirror=gateway.mirror is not None,
        needs=tuple(_needs(gateway)),
    )


def _needs(gateway: Gateway) -> Iterator[tuple[str, str]]:
    """Extended features: those that a Gateway may lack (Gateway API, pkg/features)."""
    at = "spec.traffic.gateway"
    if gateway.protocol == "GRPC":
        yield "GRPCRoute", f"{at}.protocol"
        return  # The features of GRPCRoute have no names of their own.
    if gateway.response_headers is not False:
        yield "HTTPRouteResponseHeaderModification", f"{at}.responseHeaders"
    if gateway.rewrite_prefix is not None:
        yield "HTTPRoutePathRewrite", f"{at}.rewritePrefix"
    if gateway.mirror:
        yield "HTTPRouteRequestMirror", f"{at}.mirror"
        if gateway.mirror.percent is not None:
            yield "HTTPRouteRequestPercentageMirror", f"{at}.mirror.percent"
    if gateway.timeouts and gateway.timeouts.request:
        yield "HTTPRouteRequestTimeout", f"{at}.timeouts.request"
    if gateway.timeouts and gateway.timeouts.backend_request:
        yield "HTTPRouteBackendTimeout", f"{at}.timeouts.backendRequest"
    if any(parent.port is not None for parent in gateway.parent_refs):
        yield "HTTPRouteParentRefPort", f"{at}.parentRefs"


def _judging(analysis: Analysis) -> Judging:
    return Judging(
        interval=max(1.0, seconds(analysis.interval or "15s")),
        window=seconds(analysis.window or "5m"),
        on_insufficient=analysis.on_insufficient_data or HOLD,
        from_weight=analysis.from_weight or 1,
        during_bake=analysis.during_bake is not False,
    )


def _scaling(scaling: Scaling) -> tuple[int | None, int, int]:
    if scaling.max_replicas is None:
        count = 1 if scaling.replicas is None else scaling.replicas
        return count, count, count
    return None, scaling.min_replicas or 1, scaling.max_replicas
