"""Projects live objects to the few facts that decisions need; the rest is not kept in memory."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from sys import intern

from canarium import GROUP
from canarium.api.server import FETCH_CONTAINER
from canarium.api.states import JobState
from canarium.core.facts import takeover
from canarium.core.facts.check_templates import ANNOTATION
from canarium.core.facts.gate_jobs import GateJob, GateService
from canarium.core.facts.gateways import Backend
from canarium.core.facts.observed import (
    Autoscaler,
    AutoscalerFault,
    Deployment,
    DisruptionBudget,
    Service,
)
from canarium.core.facts.revision import (
    Record,
    digest_matches,
    recorded_version,
    resolved_facts,
    seal_is_valid,
)
from canarium.core.facts.traffic_record import TrafficRecord
from canarium.engine.cache.children import Child, Raw, child, compared, parse_optional_time, shared
from canarium.engine.cache.managed_fields import scaled_by_other
from canarium.kube.canonical import is_canonical
from canarium.render import labels
from canarium.render.fetch_container import PIN_KEY
from canarium.untrusted.quoting import quoted

#: A record's identity: its digest is what is compared.
_UNKEPT: Raw = {}
#: Reasons of a failed Job that did not end by itself; our policy names only disruptions.
_STOPPED = ("DeadlineExceeded", "PodFailurePolicy")


def record(raw: Raw) -> Child[Record]:
    meta, data = raw["metadata"], raw.get("data") or {}
    notes, model = meta.get("annotations", {}), data.get("model") or {}
    runtime = data.get("runtime") or {}
    algorithm, digest = str(data.get("algorithm", "")), str(data.get("digest", ""))
    revision = shared(meta.get("labels", {}).get(labels.REVISION, ""))
    resolved, spec_digest = resolved_facts(algorithm, data.get("identity"))
    fact = Record(
        revision=revision,
        number=raw.get("revision", 0),
        algorithm=shared(algorithm),
        digest=digest,
        identity=_UNKEPT,
        version=shared(recorded_version(data)),
        served=notes.get(labels.SERVED),
        verdict=notes.get(f"{GROUP}/verdict"),
        intact=bool(revision)
        and digest_matches(algorithm, digest, data.get("identity"))
        and seal_is_valid(data),
        created_at=meta.get("creationTimestamp"),
        lineage=model.get("lineage"),
        runtime=shared(runtime.get("name")),
        runtime_digest=shared(runtime.get("digest")),
        failure=notes.get(f"{GROUP}/failure"),
        commands=tuple(x for x in notes.get(f"{GROUP}/commands", "").split(",") if x),
        after=data.get("after"),
        retry=data.get("retry"),
        pins=_fetches(data.get("template") or {}) and not model.get("digest"),
        artifact=notes.get(f"{GROUP}/artifact"),
        signature=notes.get(f"{GROUP}/signature"),
        images=notes.get(labels.IMAGES),
        gates=notes.get(f"{GROUP}/gates"),
        rollout_settings=notes.get(labels.ROLLOUT_SETTINGS),
        took_over=notes.get(f"{GROUP}/{takeover.ANNOTATION}"),
        check_templates=notes.get(f"{GROUP}/{ANNOTATION}"),
        uri=model.get("uri"),
        resolved=resolved,
        spec_digest=spec_digest,
        run_recorded=labels.TRAINING_RUN in notes,
        endpoint=model.get("endpoint"),
        tagged=notes.get(labels.TAGGED),
        canonical=is_canonical(data),
    )
    # How the server as rendered is measured; None in restored records.
    server = runtime.get("server")
    server = (
        {key: server[key] for key in ("metrics", "predictPath") if key in server}
        if server is not None
        else None
    )
    return child(raw, fact, {"template": data.get("template") or {}, "server": server})


def _fetches(template: Raw) -> bool:
    containers = template.get("spec", {}).get("initContainers") or ()
    return any(c.get("name") == FETCH_CONTAINER for c in containers)


def deployment(raw: Raw) -> Child[Deployment]:
    meta, spec = raw["metadata"], raw["spec"]
    failure = next(
        (
            quoted(c.get("message", ""))
            for c in raw.get("status", {}).get("conditions", ())
            if c["type"] == "ReplicaFailure" and c["status"] == "True"
            if c.get("reason") in (None, "FailedCreate")
        ),
        None,
    )
    fact = Deployment(
        name=meta["name"],
        uid=meta["uid"],
        revision=shared(meta.get("labels", {}).get(labels.REVISION, "")),
        color=shared(spec["template"]["metadata"].get("labels", {}).get(labels.COLOR, "")),
        replicas=spec.get("replicas", 1),
        terminating="deletionTimestamp" in meta,
        failure=failure,
        ports=_same_ports(
            frozenset(
                port["name"]
                for container in spec["template"]["spec"]["containers"]
                for port in container.get("ports") or ()
                if port.get("name")
            )
        ),
        scaled_by_other=scaled_by_other(meta.get("managedFields")),
        resolved=spec["template"]["metadata"].get("annotations", {}).get(labels.RESOLVED),
        extra_labels=_extra_labels(spec["template"]["metadata"].get("labels") or {}),
    )
    return child(raw, fact, compared(raw, spec))


@lru_cache(maxsize=64)
def _same_ports(names: frozenset[str]) -> frozenset[str]:
    """Returns one set for all Deployments with the same ports."""
    return names


def _extra_labels(pod: Raw) -> tuple[tuple[str, str], ...]:
    ours = (labels.MANAGED_BY, labels.MODEL, labels.REVISION, labels.COLOR)
    extra = ((intern(key), intern(value)) for key, value in pod.items() if key not in ours)
    return tuple(sorted(extra))


def service(raw: Raw) -> Child[Service] | Child[Backend | GateService]:
    """Projects the model's Service or, with the label of a revision, a backend of its route or the
    Service for Jobs of gates."""
    marks = raw["metadata"].get("labels", {})
    revision = marks.get(labels.REVISION)
    if revision:
        meta, spec = raw["metadata"], raw["spec"]
        kind = GateService if labels.GATE in marks else Backend
        fact = kind(meta["name"], meta["uid"], revision)
        return child(raw, fact, compared(raw, _of_service(spec, spec.get("selector"))))
    return _callers(raw)


def _of_service(spec: Raw, selector: Raw | None) -> Raw:
    """Returns the fields of a Service's spec that the operator sets."""
    kept = {"selector": selector, "ports": spec.get("ports")}
    name = "trafficDistribution"
    return {**kept, name: spec[name]} if name in spec else kept


def _callers(raw: Raw) -> Child[Service]:
    meta, selector = raw["metadata"], raw["spec"].get("selector") or {}
    notes = meta.get("annotations", {})
    color = selector.get(labels.COLOR, "")
    ours = set(selector) <= {labels.MODEL, labels.COLOR} and labels.MODEL in selector
    fact = Service(
        uid=meta["uid"],
        color=None if not ours or color == labels.NO_COLOR else color,
        traffic=TrafficRecord.from_annotations(notes),
    )
    keep = compared(raw, _of_service(raw["spec"], selector))
    keep["metadata"]["annotations"] = notes
    return child(raw, fact, keep)


def gate_job(raw: Raw) -> Child[GateJob]:
    """Projects the Job of a gate. One that a disruption or its deadline stopped is lost."""
    meta = raw["metadata"]
    state = JobState.RUNNING
    for condition in (raw.get("status") or {}).get("conditions") or ():
        if condition.get("status") != "True":
            continue
        if condition.get("type") == "Complete":
            state = JobState.SUCCEEDED
        elif condition.get("type") == "Failed":
            stopped = condition.get("reason") in _STOPPED
            state = JobState.LOST if stopped else JobState.FAILED
    fact = GateJob(
        name=meta["name"],
        uid=meta["uid"],
        revision=meta.get("labels", {}).get(labels.REVISION, ""),
        state=state,
        terminating="deletionTimestamp" in meta,
        nonce=(meta.get("annotations") or {}).get(labels.GATE_NONCE),
    )
    return child(raw, fact)


def autoscaler(raw: Raw) -> Child[Autoscaler]:
    meta, spec = raw["metadata"], raw["spec"]
    fact = Autoscaler(
        name=meta["name"],
        uid=meta["uid"],
        revision=meta.get("labels", {}).get(labels.REVISION, ""),
        min_replicas=spec.get("minReplicas", 1),
        max_replicas=spec["maxReplicas"],
        fault=_autoscaler_fault(raw.get("status", {})),
        disabled=_is_disabled(raw.get("status", {})),
    )
    return child(raw, fact, compared(raw, spec))


def disruption_budget(raw: Raw) -> Child[DisruptionBudget]:
    """Projects the PodDisruptionBudget of a revision. Its Deployment owns it."""
    meta, spec = raw["metadata"], raw.get("spec") or {}
    fact = DisruptionBudget(
        name=meta["name"],
        uid=meta["uid"],
        revision=meta.get("labels", {}).get(labels.REVISION, ""),
        has_minimum="minAvailable" in spec,
    )
    return child(raw, fact, compared(raw, spec))


#: Conditions of an autoscaler that are True while it works, the more important one first.
_SCALES = ("AbleToScale", "ScalingActive")
#: Reason of the condition `ScalingActive` of an autoscaler whose target another client scaled to 0.
_DISABLED = "ScalingDisabled"


def _autoscaler_fault(status: Raw) -> AutoscalerFault | None:
    """Returns the first condition that keeps it from scaling; one scaled to zero is disabled, not
    broken."""
    conditions = {c["type"]: c for c in status.get("conditions") or ()}
    for kind in _SCALES:
        condition = conditions.get(kind, {})
        if condition.get("status") == "False" and condition.get("reason") != _DISABLED:
            since = parse_optional_time(condition.get("lastTransitionTime")) or 0.0
            return AutoscalerFault(
                condition.get("reason") or kind, quoted(condition.get("message", "")), since
            )
    return None


def _is_disabled(status: Raw) -> bool:
    return any(
        (c.get("type"), c.get("status"), c.get("reason")) == ("ScalingActive", "False", _DISABLED)
        for c in status.get("conditions") or ()
    )


def pin(raw: Raw) -> Child[tuple[str, str]]:
    """Projects the ConfigMap that pins a revision to a digest. The record owns it."""
    revision = raw["metadata"].get("labels", {}).get(labels.REVISION, "")
    return child(raw, (revision, (raw.get("data") or {}).get(PIN_KEY, "")))


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Pods that a slice of `service` lists as ready."""

    service: str
    names: tuple[str, ...]


def endpoints(raw: Raw) -> Child[Endpoints]:
    names = tuple(
        sorted(
            e["targetRef"]["name"]
            for e in raw.get("endpoints") or ()
            if e.get("conditions", {}).get("ready", True) and e.get("targetRef")
        )
    )
    service = raw["metadata"].get("labels", {}).get("kubernetes.io/service-name", "")
    return child(raw, Endpoints(service, names))
