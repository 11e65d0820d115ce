"""The operator: its pods are ready, and the Lease of its leader is fresh."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime

from canarium import VERSION
from canarium.view.objects import Raw, items, number, part, text
from canarium_cli.doctor.facts import Facts
from canarium_cli.doctor.finding import Finding, ok, problem, unreadable, warning

SUBJECT, LEADER = "operator", "leader"
#: The holder of a Lease that several operators hold, and the prefix of their records on it.
_SHARDS = re.compile(r"([0-9]+) shards")
_RECORDS = "canarium.dev/leader-"
#: Clocks of this machine and of the operator's node may differ by so many seconds.
_CLOCKS = 30.0


def examine(facts: Facts) -> Iterator[Finding]:
    """Looks for a running operator, then for its leader."""
    if facts.fault("deployments"):
        yield unreadable(SUBJECT, "its Deployment", facts.fault("deployments"))
    elif not facts["deployments"] and not _fresh(facts):
        yield problem(
            SUBJECT,
            "No Deployment has the label app.kubernetes.io/name=canarium",
            "Install the operator with its Helm chart",
        )
    for deployment in facts["deployments"]:
        yield _running(deployment, facts["operators"])
    yield from _leader(facts)


def _running(deployment: Raw, pods: list[Raw]) -> Finding:
    meta, status = part(deployment, "metadata"), part(deployment, "status")
    name = f"Deployment/{text(meta, 'name')} (namespace {text(meta, 'namespace')})"
    wanted, ready = number(part(deployment, "spec"), "replicas"), number(status, "readyReplicas")
    version = version_of(deployment)
    if not wanted:
        where = f"-n {text(meta, 'namespace')} scale deployment/{text(meta, 'name')}"
        advice = f"Start it again: `kubectl {where} --replicas=2`"
        return problem(SUBJECT, f"{name} is scaled to zero, so no operator runs", advice)
    if not ready:
        why = "; ".join(_waiting(pod) for pod in pods if _waiting(pod))
        text_ = f"{name} has 0 of {wanted} pods ready{f': {why}' if why else ''}"
        return problem(SUBJECT, text_, "Check the logs and the Events of its pods")
    if version and version != VERSION:
        text_ = f"{name} runs version {version}, and this client is {VERSION}"
        return warning(SUBJECT, text_, "Use the client of the operator's version")
    running = f"{name} has {ready} of {wanted} pods ready, version {version or 'unknown'}"
    return ok(SUBJECT, running)


def version_of(deployment: Raw) -> str:
    """The version of an operator, by the label of its chart."""
    return text(part(part(deployment, "metadata"), "labels"), "app.kubernetes.io/version")


def _waiting(pod: Raw) -> str:
    for container in items(part(pod, "status"), "containerStatuses"):
        waiting = part(part(container, "state"), "waiting")
        if waiting:
            return f"pod/{text(part(pod, 'metadata'), 'name')} waits: {text(waiting, 'reason')}"
    return ""


def _leader(facts: Facts) -> Iterator[Finding]:
    if facts.fault("leases"):
        yield unreadable(LEADER, "the Leases", facts.fault("leases"))
        return
    fresh = _fresh(facts)
    if fresh:
        for lease in fresh:
            holder = text(part(lease, "spec"), "holderIdentity")
            where = text(part(lease, "metadata"), "namespace")
            if shards := _SHARDS.fullmatch(holder):
                yield from _leaders_of_shards(lease, int(shards[1]), where)
            else:
                yield ok(LEADER, f"{holder} holds Lease/canarium (namespace {where})")
        return
    if not facts["leases"]:
        if facts["deployments"]:
            advice = "Check the logs of the operator: it may not reach the API server"
            yield problem(LEADER, "No operator has created its Lease", advice)
        return
    for lease in facts["leases"]:
        where = text(part(lease, "metadata"), "namespace")
        age = lease_age(lease, facts.now)
        since = f"was last renewed {age:.0f} s ago" if age is not None else "was never renewed"
        text_ = f"Lease/canarium (namespace {where}) {since}, so no operator is in charge"
        yield problem(LEADER, text_, "Check that the operator runs and reaches the API server")


def _leaders_of_shards(lease: Raw, count: int, where: str) -> Iterator[Finding]:
    """Who leads which of several shards, and shards that have no leader."""
    led: set[int] = set()
    for name, shards in sorted(_records(lease)):
        led |= shards
        numbers = ", ".join(map(str, sorted(shards)))
        part_ = f"shards {numbers} of {count}" if shards else f"none of {count} shards"
        yield ok(LEADER, f"{name} leads {part_} (namespace {where})")
    if missing := sorted(set(range(count)) - led):
        numbers = ", ".join(map(str, missing))
        yield problem(
            LEADER,
            f"No operator leads shards {numbers} of {count} (namespace {where}): models in their "
            "namespaces are not managed",
            "Check the logs of the operator's pods: one takes them within seconds",
        )


def _records(lease: Raw) -> Iterator[tuple[str, set[int]]]:
    """Name and shards of each leader; records that cannot be read are left out."""
    for key, value in part(part(lease, "metadata"), "annotations").items():
        if not key.startswith(_RECORDS):
            continue
        try:
            body = json.loads(value)
            yield str(body["leader"]), set(map(int, body["shards"]))
        except (ValueError, TypeError, KeyError):
            continue


def _fresh(facts: Facts) -> list[Raw]:
    return [lease for lease in facts["leases"] if is_fresh(lease, facts.now)]


def is_fresh(lease: Raw, now: float) -> bool:
    """Whether a Lease has a holder that renews it, by the clock of this machine."""
    spec, age = part(lease, "spec"), lease_age(lease, now)
    limit = number(spec, "leaseDurationSeconds") + _CLOCKS
    return bool(text(spec, "holderIdentity")) and age is not None and age < limit


def lease_age(lease: Raw, now: float) -> float | None:
    """Seconds since a Lease was renewed; None if it never was."""
    renewed = text(part(lease, "spec"), "renewTime")
    try:
        return now - datetime.fromisoformat(renewed.replace("Z", "+00:00")).timestamp()
    except ValueError:
        return None
