"""What the routes of models need: the API of the router, a Gateway, and its class's features."""

from __future__ import annotations

from collections.abc import Iterator

from canarium.view.objects import Raw, items, part, text
from canarium_cli.doctor.facts import ROUTES, Facts
from canarium_cli.doctor.finding import Finding, ok, problem, warning

SUBJECT = "routes"
_MIRROR = "HTTPRouteRequestMirror"


def examine(facts: Facts) -> Iterator[Finding]:
    """Checks each model of the namespace that uses a route."""
    installed = {text(part(one, "metadata"), "name") for one in facts["definitions"]}
    routed = [model for model in facts["models"] if _router(model) in ROUTES]
    used = sorted({_router(model) for model in routed})
    missing = [router for router in used if ROUTES[router] not in installed]
    for router in missing if not facts.fault("definitions") else ():
        text_ = f"Models use router {router}, and the cluster has no {ROUTES[router]}"
        yield problem(SUBJECT, text_, "Install the API and a controller for it")
    fine = 0
    for model in routed:
        findings = list(_examined(model, facts))
        yield from findings
        fine += not findings and _router(model) not in missing
    if fine:
        yield ok(SUBJECT, f"{fine} of {len(routed)} models with a route have what it needs")


def _router(model: Raw) -> str:
    return text(part(model, "spec", "traffic"), "router")


def _examined(model: Raw, facts: Facts) -> Iterator[Finding]:
    meta = part(model, "metadata")
    name = f"modeldeployment/{text(meta, 'name')}"
    for condition in items(part(model, "status"), "conditions"):
        if text(condition, "type") == "RouteAccepted" and text(condition, "status") == "False":
            reason, message = text(condition, "reason"), text(condition, "message")
            yield warning(SUBJECT, f"{name}: {reason}: {message}", "Fix what the reason names")
    gateway_spec = part(model, "spec", "traffic", "gateway")
    if _router(model) != "Gateway" or facts.fault("gateways") or "gateways" not in facts.reads:
        return
    for parent in items(gateway_spec, "parentRefs"):
        wanted = (text(parent, "namespace") or text(meta, "namespace"), text(parent, "name"))
        gateway = next((one for one in facts["gateways"] if _key(one) == wanted), None)
        if gateway is None:
            text_ = (
                f"{name} refers to Gateway/{wanted[1]} in namespace {wanted[0]}, which is missing"
            )
            yield problem(SUBJECT, text_, "Create the Gateway, or correct spec.traffic.gateway")
        elif part(gateway_spec, "mirror") and not _supports(gateway, facts, _MIRROR):
            text_ = (
                f"{name} mirrors requests, and the class of Gateway/{wanted[1]} does not list that"
            )
            yield warning(SUBJECT, text_, "Check that its controller supports request mirroring")


def _key(one: Raw) -> tuple[str, str]:
    meta = part(one, "metadata")
    return text(meta, "namespace"), text(meta, "name")


def _supports(gateway: Raw, facts: Facts, feature: str) -> bool:
    """Whether the class lists the feature; True where it lists none at all."""
    name = text(part(gateway, "spec"), "gatewayClassName")
    gateway_class = next((one for one in facts["classes"] if _key(one)[1] == name), None)
    listed = (
        part(gateway_class, "status").get("supportedFeatures") if gateway_class else None
    ) or []
    if not isinstance(listed, list) or not listed:
        return True
    return feature in {one.get("name") if isinstance(one, dict) else one for one in listed}
