"""From live objects to the few facts that decisions need; the rest is not kept in memory."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from sys import intern
from typing import Any, Generic, TypeVar

import orjson

from canarium import GROUP
from canarium.core.facts.gateways import Backend
from canarium.core.facts.observed import (
    Autoscaler,
    AutoscalerFault,
    Container,
    Deployment,
    Pod,
    Service,
)
from canarium.core.facts.revision import Record, sealed, whole
from canarium.core.facts.traffic_record import TrafficRecord
from canarium.core.health.pods import FETCHER
from canarium.engine.apply.drift import owned_by_us
from canarium.engine.cache.compression import Packing
from canarium.engine.cache.ownership import (
    controller,
    controller_name,
    foreign_finalizers,
    is_adoptable,
    is_inherited,
)
from canarium.kube.canonical import is_canonical
from canarium.quoting import lines, quoted
from canarium.render import labels
from canarium.render.fetch_container import PIN_KEY
from canarium.render.runtime_catalog import Runtime

F = TypeVar("F")
Raw = dict[str, Any]
#: By the type of their facts, which is one for each kind of object.
_PACKINGS: defaultdict[type, Packing] = defaultdict(Packing)
_DIGEST = re.compile(r"sha256:[0-9A-Za-z]{1,64}")
#: A record's identity: its digest is what is compared.
_UNKEPT: Raw = {}


@dataclass(frozen=True, slots=True)
class Child(Generic[F]):
    """An object of ours: where it is, whose it is, and its facts.

    `content` is what the hash gate compares, packed; two that differ only in their
    resourceVersion are equal, so that such a change wakes nobody.
    """

    namespace: str
    name: str
    uid: str
    version: int = field(compare=False)
    model: str
    owner: str | None
    fact: F
    content: bytes = b""
    #: It has no owner, and the model may adopt it.
    adoptable: bool = False
    #: Its owner is a model of this name, whether this one or one before it.
    inherited: bool = False
    #: Finalizers of other controllers that keep it while it is being deleted, and since when.
    finalizers: tuple[str, ...] = ()
    deleted: float | None = None
    #: `Kind/name` of a Service's owner, which may be anybody.
    controller: str = ""


def child(raw: Raw, fact: F, content: Any = None, model: str | None = None) -> Child[F]:
    meta = raw["metadata"]
    owner = controller(raw)
    # What the children of a model have in common is kept once.
    name = intern(model or meta.get("labels", {}).get(labels.MODEL, ""))
    return Child(
        namespace=intern(meta.get("namespace", "")),
        name=meta["name"],
        uid=meta["uid"],
        version=int(meta["resourceVersion"]),
        model=name,
        owner=intern(owner) if owner else None,
        fact=fact,
        content=_PACKINGS[type(fact)].packed(content) if content is not None else b"",
        adoptable=owner is None and is_adoptable(raw, name),
        inherited=is_inherited(raw, name),
        finalizers=foreign_finalizers(meta),
        deleted=noted(meta.get("deletionTimestamp")),
        controller=(controller_name(raw) or "") if isinstance(fact, Service | Backend) else "",
    )


def unpacked(child: Child[Any]) -> Any:
    """The live content that `child` keeps for the gate."""
    return _PACKINGS[type(child.fact)].opened(child.content)


@dataclass(frozen=True, slots=True)
class Template:
    """A ModelRuntime or, with no namespace, a ClusterModelRuntime."""

    namespace: str
    name: str
    uid: str
    version: int = field(compare=False)
    runtime: Runtime


def template(kind: str, raw: Raw) -> Template:
    meta = raw["metadata"]
    found = Runtime(kind, meta["name"], raw["spec"])
    version = int(meta["resourceVersion"])
    return Template(meta.get("namespace", ""), meta["name"], meta["uid"], version, found)


def record(raw: Raw) -> Child[Record]:
    meta, data = raw["metadata"], raw.get("data") or {}
    notes, model = meta.get("annotations", {}), data.get("model") or {}
    runtime = data.get("runtime") or {}
    algorithm, digest = str(data.get("algorithm", "")), str(data.get("digest", ""))
    revision = meta.get("labels", {}).get(labels.REVISION, "")
    fact = Record(
        revision=revision,
        number=raw.get("revision", 0),
        algorithm=algorithm,
        digest=digest,
        identity=_UNKEPT,
        version=model.get("version"),
        served=notes.get(labels.SERVED),
        verdict=notes.get(f"{GROUP}/verdict"),
        intact=bool(revision) and whole(algorithm, digest, data.get("identity")) and sealed(data),
        created_at=meta.get("creationTimestamp"),
        lineage=model.get("lineage"),
        runtime=runtime.get("name"),
        runtime_digest=runtime.get("digest"),
        failure=notes.get(f"{GROUP}/failure"),
        commands=tuple(x for x in notes.get(f"{GROUP}/commands", "").split(",") if x),
        after=data.get("after"),
        retry=data.get("retry"),
        pins=_fetches(data.get("template") or {}) and not model.get("digest"),
        artifact=notes.get(f"{GROUP}/artifact"),
        images=notes.get(labels.IMAGES),
        uri=model.get("uri"),
        canonical=is_canonical(data),
    )
    # What the signals need of the server as it was rendered; None in a record without it.
    server = runtime.get("server")
    spoken = (
        {key: server[key] for key in ("metrics", "predictPath") if key in server}
        if server is not None
        else None
    )
    return child(raw, fact, {"template": data.get("template") or {}, "server": spoken})


def _fetches(template: Raw) -> bool:
    containers = template.get("spec", {}).get("initContainers") or ()
    return any(c.get("name") == FETCHER for c in containers)


def deployment(raw: Raw) -> Child[Deployment]:
    meta, spec = raw["metadata"], raw["spec"]
    failure = next(
        (
            quoted(c.get("message") or "")
            for c in raw.get("status", {}).get("conditions", ())
            if c["type"] == "ReplicaFailure" and c["status"] == "True"
            if c.get("reason") in (None, "FailedCreate")
        ),
        None,
    )
    fact = Deployment(
        name=meta["name"],
        uid=meta["uid"],
        revision=meta.get("labels", {}).get(labels.REVISION, ""),
        color=spec["template"]["metadata"].get("labels", {}).get(labels.COLOR, ""),
        replicas=spec.get("replicas", 1),
        terminating="deletionTimestamp" in meta,
        failure=failure,
        ports=frozenset(
            port["name"]
            for container in spec["template"]["spec"]["containers"]
            for port in container.get("ports") or ()
            if port.get("name")
        ),
    )
    return child(raw, fact, compared(raw, spec))


def compared(raw: Raw, spec: Raw) -> Raw:
    """The part of a live object that the gate compares: `spec` is as much of its own as we set."""
    meta = raw["metadata"]
    intent = (meta.get("annotations") or {}).get(labels.APPLIED)
    return {
        "metadata": {
            "labels": meta.get("labels"),
            **({"annotations": {labels.APPLIED: intent}} if intent else {}),
        },
        "spec": spec,
        "owned": owned_by_us(meta.get("managedFields")),
    }


def service(raw: Raw) -> Child[Service] | Child[Backend]:
    """The callers' Service, or, with the label of a revision, a backend of a route."""
    revision = raw["metadata"].get("labels", {}).get(labels.REVISION)
    if revision:
        meta, spec = raw["metadata"], raw["spec"]
        fact = Backend(meta["name"], meta["uid"], revision)
        kept = {"selector": spec.get("selector"), "ports": spec.get("ports")}
        return child(raw, fact, compared(raw, kept))
    return _callers(raw)


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
    keep = compared(raw, {"selector": selector, "ports": raw["spec"].get("ports")})
    keep["metadata"]["annotations"] = notes
    return child(raw, fact, keep)


def autoscaler(raw: Raw) -> Child[Autoscaler]:
    meta, spec = raw["metadata"], raw["spec"]
    fact = Autoscaler(
        name=meta["name"],
        uid=meta["uid"],
        revision=meta.get("labels", {}).get(labels.REVISION, ""),
        low=spec.get("minReplicas", 1),
        high=spec["maxReplicas"],
        fault=_autoscaler_fault(raw.get("status", {})),
    )
    return child(raw, fact, compared(raw, spec))


#: Conditions of an autoscaler that are True while it works, the one that matters more first.
_SCALES = ("AbleToScale", "ScalingActive")


def _autoscaler_fault(status: Raw) -> AutoscalerFault | None:
    """The first condition that keeps it from scaling; one of no replicas is off, not broken."""
    conditions = {c["type"]: c for c in status.get("conditions") or ()}
    for kind in _SCALES:
        found = conditions.get(kind, {})
        if found.get("status") == "False" and found.get("reason") != "ScalingDisabled":
            since = noted(found.get("lastTransitionTime")) or 0.0
            return AutoscalerFault(
                found.get("reason") or kind, quoted(found.get("message", "")), since
            )
    return None


def pin(raw: Raw) -> Child[tuple[str, str]]:
    """A revision, and the digest that its later pods are told. It belongs to the record."""
    revision = raw["metadata"].get("labels", {}).get(labels.REVISION, "")
    return child(raw, (revision, (raw.get("data") or {}).get(PIN_KEY, "")))


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Pods that a slice of the Service `service` lists as ready."""

    service: str
    names: frozenset[str]


def endpoints(raw: Raw) -> Child[Endpoints]:
    names = frozenset(
        e["targetRef"]["name"]
        for e in raw.get("endpoints") or ()
        if e.get("conditions", {}).get("ready", True) and e.get("targetRef")
    )
    service = raw["metadata"].get("labels", {}).get("kubernetes.io/service-name", "")
    return child(raw, Endpoints(service, names))


def pod(raw: Raw) -> Child[Pod]:
    meta, status = raw["metadata"], raw.get("status", {})
    conditions = {c["type"]: c for c in status.get("conditions", ())}
    ready = conditions.get("Ready", {})
    scheduled = conditions.get("PodScheduled", {})
    unplaced = scheduled.get("reason") if scheduled.get("status") == "False" else None
    unschedulable = unplaced == "Unschedulable"
    init, own = status.get("initContainerStatuses", ()), status.get("containerStatuses", ())
    is_ready = ready.get("status") == "True"
    # The node controller marks pods of a lost node unready, but not their containers.
    node_lost = bool(own) and not is_ready and all(c.get("ready") for c in own)
    disrupted = conditions.get("DisruptionTarget", {}).get("status") == "True" or node_lost
    fact = Pod(
        name=meta["name"],
        revision=meta.get("labels", {}).get(labels.REVISION, ""),
        color=meta.get("labels", {}).get(labels.COLOR, ""),
        created=_time(meta["creationTimestamp"]),
        ready=is_ready,
        ready_changed=_time(ready["lastTransitionTime"])
        if ready.get("lastTransitionTime")
        else None,
        terminating="deletionTimestamp" in meta,
        ends=noted(meta.get("deletionTimestamp")),
        ended=_ended(status),
        unschedulable_since=_time(scheduled["lastTransitionTime"]) if unschedulable else None,
        unschedulable_message=quoted(scheduled.get("message", "")) if unschedulable else "",
        gated=unplaced == "SchedulingGated",
        disrupted=disrupted or status.get("reason") in ("Evicted", "Preempting", "NodeLost"),
        begun=_begun(meta, conditions, init),
        scheduled=scheduled.get("status") == "True",
        address=status.get("podIP"),
        **_fetched(init),
        images=tuple(sorted((c["name"], c["imageID"]) for c in (*init, *own) if c.get("imageID"))),
        containers=(
            *(_container(c, init=True) for c in init),
            *(_container(c, init=False) for c in own),
        ),
    )
    return child(raw, fact)


def _ended(status: Raw) -> str | None:
    phase = status.get("phase")
    if phase not in ("Failed", "Succeeded"):
        return None
    told = (status.get("reason") or phase, status.get("message"))
    return ": ".join(quoted(part) for part in told if part)


def _begun(meta: Raw, conditions: Raw, inits: Iterable[Raw]) -> float:
    times = [meta["creationTimestamp"]]
    for kind in ("PodScheduled", "Initialized"):
        if conditions.get(kind, {}).get("status") == "True":
            times.append(conditions[kind].get("lastTransitionTime"))
    times += [c.get("state", {}).get("terminated", {}).get("finishedAt") for c in inits]
    return max(_time(text) for text in times if text)


def _fetched(containers: Iterable[Raw]) -> dict[str, Any]:
    """What the fetcher's termination message says, once it has ended well: the digest of the
    model, and what a branch or a tag in its URI stood for."""
    ended = next(
        (c.get("state", {}).get("terminated") or {} for c in containers if c["name"] == FETCHER), {}
    )
    if ended.get("exitCode") != 0:
        return {}
    try:
        said = orjson.loads(ended.get("message") or "null")
    except ValueError:
        return {}
    # Whoever may change the fetcher's container may have it say anything.
    if not isinstance(said, dict) or not _DIGEST.fullmatch(str(said.get("digest"))):
        return {}
    resolved = said.get("resolved")
    return {
        "artifact": said["digest"],
        "resolved": quoted(resolved, 256) if isinstance(resolved, str) else None,
    }


def _container(raw: Raw, *, init: bool) -> Container:
    state, last = raw.get("state", {}), raw.get("lastState", {})
    waiting = state.get("waiting", {})
    ended, before = state.get("terminated", {}), last.get("terminated", {})
    return Container(
        name=raw["name"],
        init=init,
        waiting=waiting.get("reason"),
        waiting_message=quoted(waiting.get("message", "")),
        terminated=(ended.get("reason") or "Terminated") if ended else None,
        exit_code=ended.get("exitCode"),
        last_terminated=(before.get("reason") or "Terminated") if before else None,
        last_exit_code=before.get("exitCode"),
        message=lines(ended.get("message") or before.get("message") or ""),
        restarts=raw.get("restartCount", 0),
        started=noted(state.get("running", {}).get("startedAt")),
        ready=bool(raw.get("ready")),
    )


def _time(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def noted(text: str | None) -> float | None:
    """A time that we noted ourselves; None when somebody wrote something else there."""
    try:
        return _time(text) if text else None
    except ValueError:
        return None
