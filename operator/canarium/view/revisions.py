"""The revisions of a model: what each is to the model, its traffic, and what runs of it."""

from __future__ import annotations

from collections.abc import Iterable

from canarium.api.defaults import MIN_REPLICAS
from canarium.core.facts.revision import recorded_version
from canarium.view.ages import moment_of, seconds_since
from canarium.view.objects import (
    REVISION_LABEL,
    Objects,
    Raw,
    annotation,
    items,
    label,
    number,
    part,
    text,
)
from canarium.view.pods import pod
from canarium.view.tree import Autoscaler, Deployment, Pod, Revision, Role

ARTIFACT = "canarium.dev/artifact"
_LIVE = {"candidate": Role.CANDIDATE, "stable": Role.STABLE, "previous": Role.PREVIOUS}


def target_of(model: Raw) -> str:
    """Returns the revision that the spec asks for, as commands have to name it; empty before the
    first decision. The failed revision is the target until the spec changes (R9)."""
    status = part(model, "status")
    parts = ("candidate", "failure", "stable")
    return next((text(part(status, name), "revision") for name in parts if part(status, name)), "")


def role_of(model: Raw, revision: str) -> Role:
    """Returns what a revision is to the model now."""
    status = part(model, "status")
    if revision and revision == text(part(status, "failure"), "revision"):
        return Role.FAILED
    live = (
        role
        for name, role in _LIVE.items()
        if revision and text(part(status, name), "revision") == revision
    )
    return next(live, Role.OLD)


def revisions(objects: Objects, now: float, *, old: int = 0) -> tuple[Revision, ...]:
    """Returns the revisions that have a part in the status, or pods; then up to `old` of the
    remembered ones, the newest first."""
    status = part(objects.model, "status")
    roles: dict[str, Role] = {}
    for name, role in _LIVE.items():
        revision = text(part(status, name), "revision")
        if revision:
            roles.setdefault(revision, role)
    failed = text(part(status, "failure"), "revision")
    if failed:
        roles[failed] = Role.FAILED
    running = {label(d, REVISION_LABEL) for d in (*objects.deployments, *objects.pods)}
    stored = {label(r, REVISION_LABEL): r for r in objects.records}
    for revision in sorted(running - set(roles) - {""}, key=lambda r: -_number(stored, r)):
        roles[revision] = Role.OLD
    remembered = sorted(set(stored) - set(roles) - {""}, key=lambda r: -_number(stored, r))
    for revision in remembered[:old]:
        roles[revision] = Role.OLD
    by_revision = {text(part(status, name), "revision"): part(status, name) for name in _LIVE}
    return tuple(
        _revision(objects, revision, role, by_revision.get(revision, {}), stored, now)
        for revision, role in roles.items()
    )


def _revision(
    objects: Objects, revision: str, role: Role, live: Raw, stored: dict[str, Raw], now: float
) -> Revision:
    record = stored.get(revision, {})
    data = part(record, "data")
    remembered = next(
        (
            x
            for x in items(part(objects.model, "status"), "history")
            if text(x, "revision") == revision
        ),
        {},
    )
    version = text(live, "version") or recorded_version(data) or ""
    return Revision(
        revision=revision,
        role=role,
        version=version or text(remembered, "version"),
        number=number(record, "revision"),
        weight=number(live, "weight"),
        effective_weight=number(live, "effectiveWeight"),
        replicas=number(live, "replicas"),
        ready_replicas=number(live, "readyReplicas"),
        artifact=text(live, "artifact") or annotation(record, ARTIFACT),
        image=_image(data),
        created=text(part(record, "metadata"), "creationTimestamp"),
        deployment=_deployment(objects, revision, now),
    )


def _number(stored: dict[str, Raw], revision: str) -> int:
    return number(stored.get(revision), "revision")


def _image(data: Raw) -> str:
    containers = items(part(data, "template", "spec"), "containers")
    server = next((c for c in containers if c.get("name") == "server"), None)
    return text(server or (containers[0] if containers else None), "image")


def _deployment(objects: Objects, revision: str, now: float) -> Deployment | None:
    """Returns the Deployment of a revision; one without an object where only pods are left."""
    pods = [pod(p, now) for p in objects.pods if label(p, REVISION_LABEL) == revision]
    deployment = next(
        (d for d in objects.deployments if label(d, REVISION_LABEL) == revision), None
    )
    if deployment is None:
        return Deployment("", 0, 0, _newest_first(pods), terminating=True) if pods else None
    meta, status = part(deployment, "metadata"), part(deployment, "status")
    name = text(meta, "name")
    return Deployment(
        name=name,
        replicas=number(part(deployment, "spec"), "replicas"),
        ready=number(status, "readyReplicas"),
        pods=_newest_first(pods),
        autoscaler=_autoscaler(objects.autoscalers, name),
        terminating=bool(text(meta, "deletionTimestamp")),
    )


def _newest_first(pods: Iterable[Pod]) -> tuple[Pod, ...]:
    unknown = float("inf")
    return tuple(
        sorted(pods, key=lambda p: (unknown if p.age_seconds is None else p.age_seconds, p.name))
    )


def _autoscaler(autoscalers: Iterable[Raw], deployment: str) -> Autoscaler | None:
    for raw in autoscalers:
        spec, status = part(raw, "spec"), part(raw, "status")
        if text(part(spec, "scaleTargetRef"), "name") != deployment:
            continue
        failing = [
            c
            for c in items(status, "conditions")
            if c.get("type") in ("AbleToScale", "ScalingActive") and c.get("status") == "False"
        ]
        return Autoscaler(
            name=text(part(raw, "metadata"), "name"),
            minimum=number(spec, "minReplicas") if "minReplicas" in spec else MIN_REPLICAS,
            maximum=number(spec, "maxReplicas"),
            desired=number(status, "desiredReplicas"),
            limited=text(failing[0], "message") if failing else "",
        )
    return None


def age_of(raw: Raw, now: float) -> float | None:
    """Returns the seconds since an object was created; None if that is unknown."""
    created = text(part(raw, "metadata"), "creationTimestamp")
    return seconds_since(created, now) if moment_of(created) is not None else None
