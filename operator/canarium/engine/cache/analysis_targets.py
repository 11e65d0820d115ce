"""Builds the target of an analysis from the caches as they are now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from canarium.api.decode import UnsupportedResource
from canarium.api.defaults import SERVER_PORT
from canarium.api.effective_metrics import effective_metrics
from canarium.core.facts.pods import Pod
from canarium.core.facts.training_run import RunRequest, run_request
from canarium.engine.cache.children import live_content
from canarium.engine.cache.store import Key, Store
from canarium.kube import resources
from canarium.render import runtime
from canarium.render.errors import RuntimeInvalid
from canarium.signals.smoke import Target
from canarium.signals.target import AnalysisTarget, ModelServer, ServingPod


def analysis_target(store: Store, key: Key) -> AnalysisTarget | None:
    """Returns what to analyze of the model at `key`; None without a rollout or a valid spec."""
    parent = store.parents.items.get(key)
    if parent is None:
        return None
    try:
        settings = parent.effective_spec(store.selected_runtime(key).startup_budget)
    except UnsupportedResource:
        return None
    if parent.spec.rollout is None:
        return None
    ports = {
        c.fact.revision: _port(live_content(c)) for c in store.children(resources.DEPLOYMENTS, key)
    }
    pods: dict[str, list[ServingPod]] = {}
    everyone = sorted((c.fact for c in store.children(resources.PODS, key)), key=_name)
    for pod in everyone:
        if pod.serves and pod.address:
            target = Target(pod.name, pod.address, ports.get(pod.revision, SERVER_PORT))
            pods.setdefault(pod.revision, []).append(ServingPod(target, _incarnation(pod)))
    return AnalysisTarget(
        namespace=key[0],
        model=key[1],
        analysis=settings.analysis,
        templates={
            c.fact.revision: c.fact.check_templates
            for c in store.children(resources.RECORDS, key)
            if c.fact.check_templates
        },
        versions=_versions(store, key, parent.raw["spec"]),
        servers=_servers(store, key, parent.raw["spec"]),
        pods={revision: tuple(places) for revision, places in pods.items()},
        standing=frozenset(pod.name for pod in everyone if not pod.terminating),
    )


def _versions(store: Store, key: Key, spec: Mapping[str, Any]) -> dict[str, RunRequest]:
    """Returns what a registry calls the model of each revision."""
    records = [child.fact for child in store.children(resources.RECORDS, key)]
    versions = [run_request(record, spec.get("model") or {}) for record in records]
    return {version.revision: version for version in versions if version}


def _servers(store: Store, key: Key, spec: Mapping[str, Any]) -> dict[str, ModelServer]:
    """Returns how each revision's server is measured, by its own record (R1)."""
    servers = {}
    for child in store.children(resources.RECORDS, key):
        server = live_content(child)["server"]
        if server is None:
            # A restored record does not hold the server: only the current runtime is known.
            server = _current_server(store, key, spec)
        metrics = effective_metrics(server.get("metrics"))
        servers[child.fact.revision] = ModelServer(metrics, server.get("predictPath"))
    return servers


def _current_server(store: Store, key: Key, spec: Mapping[str, Any]) -> dict[str, Any]:
    try:
        chosen = store.runtimes.catalog(key[0]).choose(spec)
        return runtime.server(key[1], key[0], spec, chosen)
    except RuntimeInvalid:
        return {}


def _port(live: Mapping[str, Any]) -> int:
    """Returns the port that the server listens on, by its own pod template."""
    for container in live["spec"]["template"]["spec"]["containers"]:
        for port in container.get("ports") or ():
            if port.get("name") == "http":
                return int(port["containerPort"])
    return SERVER_PORT


def _name(pod: Pod) -> str:
    return pod.name


def _incarnation(pod: Pod) -> str:
    return "/".join(f"{c.name}:{c.restarts}" for c in pod.containers if not c.init)
