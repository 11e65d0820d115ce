"""Whether the operator reaches the API server and the pods of models: policies and meshes.

A NetworkPolicy is compared as network plugins do it, but for ports that it names by a word. What a
plugin adds (CiliumNetworkPolicy, host firewalls) is not seen, so that a pod which the
operator reports as unreachable is a problem in any case.
"""

from __future__ import annotations

from collections.abc import Iterator

from canarium.core.facts.label_selectors import Labels
from canarium.view.objects import Raw, items, part, text
from canarium_cli.doctor.facts import Facts
from canarium_cli.doctor.finding import Finding, ok, problem, unreadable, warning
from canarium_cli.doctor.selectors import Peer, admits, selecting

PODS, API_SERVER, MESH = "network to pods", "network to the API server", "mesh"
_GUIDE = "see docs/guides/networks.md"
#: Labels of a model's pod where no pod exists yet.
_TYPICAL: Labels = {"canarium.dev/model": "", "app.kubernetes.io/managed-by": "canarium"}


def examine(facts: Facts) -> Iterator[Finding]:
    """Checks policies at both ends, the mesh, and what the operator itself has reported."""
    yield from _unreachable(facts)
    yield from _ingress(facts)
    yield from _egress(facts)
    yield from _mesh(facts)


def _unreachable(facts: Facts) -> Iterator[Finding]:
    for model in facts["models"]:
        status = part(model, "status")
        reasons = {text(c, "reason") for c in items(status, "conditions")}
        reasons.add(text(part(status, "waitingFor"), "reason"))
        if "PodsUnreachable" in reasons:
            name = text(part(model, "metadata"), "name")
            message = f"The operator cannot reach the pods of modeldeployment/{name}"
            yield problem(PODS, message, f"Admit the operator: {_GUIDE}")


def _ingress(facts: Facts) -> Iterator[Finding]:
    if facts.fault("policies"):
        yield unreadable(PODS, "the NetworkPolicies", facts.fault("policies"))
        return
    operator = _operator(facts)
    if operator is None:
        return
    denied: dict[str, str] = {}
    for labels, ports, pod in _pods(facts):
        policies = selecting(facts["policies"], labels, "Ingress")
        if policies and not any(admits(one, "Ingress", operator, ports) for one in policies):
            denied.setdefault(_names(policies), pod)
    for names, pod in denied.items():
        yield problem(
            PODS,
            f"{names} denies the operator (namespace {operator.namespace}) access to {pod}",
            "Add the namespace to networkPolicy.modelNamespaces of the chart, or admit the "
            f"operator by another policy: {_GUIDE}",
        )
    if not denied:
        yield ok(PODS, "No NetworkPolicy of the namespace denies the operator access")


def _pods(facts: Facts) -> Iterator[tuple[Labels, tuple[int | str, ...], str]]:
    """Labels, ports of the server, and name of each pod; a typical one where there is none."""
    for pod in facts["pods"]:
        meta = part(pod, "metadata")
        server = [c for c in items(part(pod, "spec"), "containers") if text(c, "name") == "server"]
        ports: list[int | str] = []
        for port in (port for container in server for port in items(container, "ports")):
            ports += [x for x in (port.get("containerPort"), port.get("name")) if x]
        yield part(meta, "labels"), tuple(ports), f"pod/{text(meta, 'name')}"
    if not facts["pods"]:
        yield _TYPICAL, (), "the pods of models"


def _operator(facts: Facts) -> Peer | None:
    """The operator as the other end of a connection; None where none can be seen."""
    running = [pod for pod in facts["operators"] if "run" in str(pod.get("spec"))]
    pod = next(iter(running or facts["operators"]), None)
    if pod is None:
        return None
    meta, home = part(pod, "metadata"), next(iter(facts["home"]), None)
    address = text(part(pod, "status"), "podIP")
    return Peer(
        namespace=text(meta, "namespace"),
        namespace_labels=part(home, "metadata", "labels") if home else None,
        labels=part(meta, "labels"),
        addresses=(address,) if address else (),
    )


def _egress(facts: Facts) -> Iterator[Finding]:
    """The chart's policy once admitted fixed ports, and API servers listen on others too."""
    operator = _operator(facts)
    if operator is None or facts.fault("home policies") or operator.labels is None:
        return
    policies = selecting(facts["home policies"], operator.labels, "Egress")
    if not policies:
        return
    ports, addresses = _api_server(facts)
    server = Peer(addresses=addresses)
    if ports and not any(admits(one, "Egress", server, ports) for one in policies):
        listed = ", ".join(map(str, ports))
        yield problem(
            API_SERVER,
            f"{_names(policies)} does not admit the operator to the API server's port {listed}",
            f"Set networkPolicy.apiServerPorts of the chart to [{listed}]",
        )
        return
    if ports:
        yield ok(API_SERVER, "The operator's NetworkPolicy admits the API server's port")
    here = next(iter(facts["namespace"]), None)
    labels = part(here, "metadata", "labels") if here else None
    for own, needed, name in _pods(facts):
        peer = Peer(facts.namespace, labels, own)
        if not any(admits(one, "Egress", peer, needed) for one in policies):
            text_ = f"{_names(policies)} does not let the operator connect to {name}"
            yield problem(
                PODS, text_, "Add the namespace to networkPolicy.extraEgress of the chart"
            )
            return


def _api_server(facts: Facts) -> tuple[tuple[int | str, ...], tuple[str, ...]]:
    """Ports and addresses behind the Service `kubernetes`, where policies are applied."""
    ports: set[int] = set()
    addresses: list[str] = []
    for piece in facts["apiserver"]:
        ports |= {
            port["port"] for port in items(piece, "ports") if isinstance(port.get("port"), int)
        }
        for endpoint in items(piece, "endpoints"):
            listed = endpoint.get("addresses")
            addresses += map(str, listed) if isinstance(listed, list) else ()
    return tuple(sorted(ports)), tuple(addresses)


def _mesh(facts: Facts) -> Iterator[Finding]:
    here = next(iter(facts["namespace"]), None)
    meta = part(here, "metadata") if here else {}
    labels, notes = part(meta, "labels"), part(meta, "annotations")
    if text(notes, "linkerd.io/inject") in ("enabled", "ingress"):
        text_ = f"Namespace {facts.namespace} is in a Linkerd mesh, which may reset smoke tests"
        yield warning(
            MESH, text_, f"Skip the server's port or admit unauthenticated clients: {_GUIDE}"
        )
        return
    ambient = text(labels, "istio.io/dataplane-mode") == "ambient"
    if not (
        text(labels, "istio-injection") == "enabled" or text(labels, "istio.io/rev") or ambient
    ):
        return
    operator = next(iter(facts["operators"]), None)
    enrolled = text(part(operator, "metadata", "labels"), "istio.io/dataplane-mode") == "ambient"
    if enrolled:
        yield ok(MESH, "The operator is enrolled in the Istio mesh (ambient mode)")
        return
    strict = [one for one in facts["authentications"] if _is_strict(one)]
    if strict:
        name = text(part(strict[0], "metadata"), "name")
        yield problem(
            MESH,
            f"PeerAuthentication/{name} requires mutual TLS, which the operator's tests do not use",
            f"Admit plain text on the server's port with portLevelMtls: {_GUIDE}",
        )
        return
    text_ = f"Namespace {facts.namespace} is in an Istio mesh; the operator's tests are plain text"
    yield warning(MESH, text_, f"If mutual TLS is required, admit the server's port: {_GUIDE}")


def _is_strict(authentication: Raw) -> bool:
    spec = part(authentication, "spec")
    ports = part(spec, "portLevelMtls")
    permissive = any(text(part(ports, port), "mode") == "PERMISSIVE" for port in ports)
    return text(part(spec, "mtls"), "mode") == "STRICT" and not permissive


def _names(policies: list[Raw]) -> str:
    return ", ".join(f"NetworkPolicy/{text(part(one, 'metadata'), 'name')}" for one in policies)
