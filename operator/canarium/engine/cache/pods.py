"""Projects a Pod to the facts that decisions need."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import orjson

from canarium.api.server import FETCH_CONTAINER
from canarium.core.facts.pods import UNSCHEDULABLE_TEXT, Container, Pod
from canarium.core.facts.signature import signature_from_json, signature_to_json
from canarium.engine.cache.children import (
    Child,
    Raw,
    child,
    parse_optional_time,
    parse_time,
    shared,
)
from canarium.engine.cache.ownership import controller
from canarium.render import labels
from canarium.untrusted.quoting import lines, quoted

#: What the ReplicaSet of a pod selects by.
_SELECTED = frozenset({labels.MODEL, labels.REVISION, labels.COLOR, "pod-template-hash"})
_DIGEST = re.compile(r"sha256:[0-9A-Za-z]{1,64}")


def pod(raw: Raw) -> Child[Pod]:
    meta, status = raw["metadata"], raw.get("status", {})
    conditions = {c["type"]: c for c in status.get("conditions", ())}
    ready = conditions.get("Ready", {})
    scheduled = conditions.get("PodScheduled", {})
    unplaced = scheduled.get("reason") if scheduled.get("status") == "False" else None
    unschedulable = unplaced == "Unschedulable"
    init, own = status.get("initContainerStatuses", ()), status.get("containerStatuses", ())
    is_ready = ready.get("status") == "True"
    # The node controller marks pods of a lost node as not ready, but not their containers.
    node_lost = bool(own) and not is_ready and all(c.get("ready") for c in own)
    disrupted = conditions.get("DisruptionTarget", {}).get("status") == "True" or node_lost
    fact = Pod(
        name=meta["name"],
        revision=shared(meta.get("labels", {}).get(labels.REVISION, "")),
        color=shared(meta.get("labels", {}).get(labels.COLOR, "")),
        created=parse_time(meta["creationTimestamp"]),
        ready=is_ready,
        ready_changed=parse_time(ready["lastTransitionTime"])
        if ready.get("lastTransitionTime")
        else None,
        terminating="deletionTimestamp" in meta,
        terminates_by=parse_optional_time(meta.get("deletionTimestamp")),
        ended=_ended(status),
        unschedulable_since=parse_time(scheduled["lastTransitionTime"]) if unschedulable else None,
        unschedulable_message=quoted(scheduled.get("message", UNSCHEDULABLE_TEXT))
        if unschedulable
        else "",
        scheduling_gated=unplaced == "SchedulingGated",
        disrupted=disrupted or status.get("reason") in ("Evicted", "Preempting", "NodeLost"),
        containers_since=_containers_since(meta, conditions, init),
        scheduled=scheduled.get("status") == "True",
        # Pods of a ReplicaSet that was deleted without them are adopted by the next one.
        controlled=controller(raw) is not None or meta.get("labels", {}).keys() >= _SELECTED,
        address=status.get("podIP"),
        **_fetched(init),
        images=tuple(
            sorted(
                (shared(c["name"]), shared(c["imageID"])) for c in (*init, *own) if c.get("imageID")
            )
        ),
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
    texts = (status.get("reason") or phase, status.get("message"))
    return ": ".join(quoted(part) for part in texts if part)


def _containers_since(meta: Raw, conditions: Raw, inits: Iterable[Raw]) -> float:
    times = [meta["creationTimestamp"]]
    for kind in ("PodScheduled", "Initialized"):
        if conditions.get(kind, {}).get("status") == "True":
            times.append(conditions[kind].get("lastTransitionTime"))
    times += [c.get("state", {}).get("terminated", {}).get("finishedAt") for c in inits]
    return max(parse_time(text) for text in times if text)


def _fetched(containers: Iterable[Raw]) -> dict[str, Any]:
    """Reads the fetcher's termination message, once it has succeeded: the digest of the model,
    and who signed it."""
    ended = next(
        (
            c.get("state", {}).get("terminated") or {}
            for c in containers
            if c["name"] == FETCH_CONTAINER
        ),
        {},
    )
    if ended.get("exitCode") != 0:
        return {}
    try:
        parsed = orjson.loads(ended.get("message", "null"))
    except ValueError:
        return {}
    # Anyone who may change the fetcher's container controls its message.
    if not isinstance(parsed, dict) or not _DIGEST.fullmatch(str(parsed.get("digest"))):
        return {}
    signature = signature_from_json(parsed.get("signature"))
    return {
        "artifact": parsed["digest"],
        "signature": signature_to_json(signature) if signature else None,
    }


def _container(raw: Raw, *, init: bool) -> Container:
    state, last = raw.get("state", {}), raw.get("lastState", {})
    waiting = state.get("waiting", {})
    ended, before = state.get("terminated", {}), last.get("terminated", {})
    return Container(
        name=shared(raw["name"]),
        init=init,
        waiting=shared(waiting.get("reason")),
        waiting_message=quoted(waiting.get("message", "")),
        terminated=(ended.get("reason") or "Terminated") if ended else None,
        exit_code=ended.get("exitCode"),
        last_terminated=(before.get("reason") or "Terminated") if before else None,
        last_exit_code=before.get("exitCode"),
        message=lines(ended.get("message", before.get("message", ""))),
        restarts=raw.get("restartCount", 0),
        started=parse_optional_time(state.get("running", {}).get("startedAt")),
        ready=bool(raw.get("ready")),
    )
