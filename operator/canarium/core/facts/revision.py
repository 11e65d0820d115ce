"""Identity of a revision (R1): a hash over the spec fields that determine what serves requests.

The hash covers the raw object as the user wrote it, never the dump of a pydantic model: a new
default or field in the API must not create new revisions of existing models. The algorithm has a
version, and a stored record is compared by the algorithm with which it was created.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from canarium.api.uri import registered_version

#: Verdict of a revision that has failed (R9).
QUARANTINED = "Quarantined"
ALGORITHM = "v1"
#: The same, and the URI that a moving reference stood for (R26): `identity["resolved"]`.
RESOLVED = "v2"
#: Algorithm of a record whose identity was lost: its digest is the short one in its name.
BY_NAME = "v1-name"
#: Fields of `spec.model` that do not decide what serves.
_UNIDENTIFYING = frozenset({"lineage", "follow", "writeBack"})
#: Kubernetes' alphabet for generated names: without vowels, so that it cannot form words.
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_LENGTH = 8


@dataclass(frozen=True, slots=True)
class Record:
    """The parts of a stored ControllerRevision that decisions need. Times are RFC 3339."""

    revision: str
    number: int
    algorithm: str
    digest: str
    identity: Mapping[str, Any]
    version: str | None
    #: Periods in which it and earlier revisions received traffic, as known at the time (JSON).
    served: str | None
    verdict: str | None
    owned: bool = True
    #: False if its content does not match its digest, as after an edit by hand.
    intact: bool = True
    created_at: str | None = None
    lineage: Mapping[str, str] | None = None
    #: Runtime from which it was rendered, and the digest of that runtime.
    runtime: str | None = None
    runtime_digest: str | None = None
    #: Failure that led to the verdict, as in `status.failure` (JSON).
    failure: str | None = None
    #: Commands that were consumed for it, each `command/token`, and "paused" while it is paused.
    commands: tuple[str, ...] = ()
    #: Token of the retry command that created it.
    retry: str | None = None
    #: Revision that was stable when this one was created, so it had been promoted.
    after: str | None = None
    #: Whether its first pod has to report the digest that it downloaded before others start.
    pins: bool = False
    #: Digest of the downloaded model, once a pod has reported it.
    artifact: str | None = None
    #: Signature of the model, once a pod has verified it (JSON).
    signature: str | None = None
    #: Images as the kubelet resolved them, once a pod was ready: JSON of container → image ID.
    images: str | None = None
    #: Gates that have started to wait for it, and their results (JSON, see `core.facts.gates`).
    gates: str | None = None
    #: Settings with which its last rollout started (JSON, see `core.facts.rollout_settings`).
    rollout_settings: str | None = None
    #: What it still owes if it became stable because it alone served (JSON, see
    #: `core.facts.takeover`); it was not promoted then.
    took_over: str | None = None
    #: Templates whose checks judge it (JSON, see `core.facts.check_templates`).
    check_templates: str | None = None
    uri: str | None = None
    #: What `uri` stood for when the record was stored, if it moves (R26), and the digest of the
    #: identity without it.
    resolved: str | None = None
    spec_digest: str | None = None
    #: Whether it has the lineage of its model, or the reason why that is unknown.
    run_recorded: bool = False
    #: Address of the registry in its spec, and the state that was last written there for this
    #: revision, as `state/time`.
    endpoint: str | None = None
    tagged: str | None = None
    #: Whether its data survives a strategic merge patch unchanged (`kube.canonical`).
    canonical: bool = True


def recorded_version(data: Mapping[str, Any]) -> str | None:
    """Returns the version of a record's `data`: the user's name for it, or else its number in
    the registry."""
    model, identity = data.get("model"), data.get("identity")
    model = model if isinstance(model, Mapping) else {}
    resolved = identity.get("resolved") if isinstance(identity, Mapping) else None
    named = model.get("version") or registered_version(str(resolved or model.get("uri") or ""))
    return str(named) if named else None


def identity_v1(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the identity fields of a raw `spec`: everything that determines what serves."""
    identity = {
        key: spec[key]
        for key in ("runtime", "resources", "pod", "podTemplate", "restartToken")
        if spec.get(key) not in (None, {}, "")
    }
    model = spec.get("model") or {}
    identity["model"] = {k: v for k, v in model.items() if k not in _UNIDENTIFYING}
    return identity


def identity_v2(spec: Mapping[str, Any], resolved: str) -> dict[str, Any]:
    """Returns the identity fields of a raw `spec` whose URI stood for `resolved`."""
    return {**identity_v1(spec), "resolved": resolved}


def resolved_facts(algorithm: str, identity: Any) -> tuple[str | None, str | None]:
    """Returns what the URI of a stored identity stood for, and the digest of its other fields."""
    if algorithm != RESOLVED or not isinstance(identity, Mapping):
        return None, None
    rest = {key: value for key, value in identity.items() if key != "resolved"}
    return str(identity.get("resolved")), digest_v1(rest)


def digest_v1(identity: Mapping[str, Any]) -> str:
    """Returns the SHA-256 (hexadecimal) of canonical JSON: sorted keys, no spaces, UTF-8."""
    text = json.dumps(identity, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


#: The digest of an identity by each algorithm that compares no result of a reference.
_ALGORITHMS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "v1": digest_v1,
    BY_NAME: lambda identity: short_name(digest_v1(identity)),
}


def digest_matches(algorithm: str, digest: str, identity: Any) -> bool:
    """Returns whether a stored identity matches its stored digest.

    The digest of an unknown algorithm cannot be verified and is accepted.
    """
    if algorithm not in (ALGORITHM, RESOLVED):
        return True
    return isinstance(identity, Mapping) and digest_v1(identity) == digest


#: Parts of a record's data that determine its Deployment and that its identity does not cover.
_SEALED = ("template", "runtime", "model")


def seal(data: Mapping[str, Any]) -> str:
    """Returns the SHA-256 of the parts of a record's `data` from which a Deployment is created.

    The API server rejects changes of a ControllerRevision's data, but a client can delete one and
    create another with the same name and identity.
    """
    return digest_v1({key: data[key] for key in _SEALED if data.get(key) is not None})


def seal_is_valid(data: Mapping[str, Any]) -> bool:
    """Returns whether a record's `data` matches its seal; data without one does not."""
    return data.get("seal") == seal(data)


def short_name(digest: str) -> str:
    """Returns the short form of a digest: 8 characters, valid in labels and DNS names."""
    number = int(digest, 16)
    letters = []
    for _ in range(_LENGTH):
        number, place = divmod(number, len(_ALPHABET))
        letters.append(_ALPHABET[place])
    return "".join(letters)


def find(
    spec: Mapping[str, Any], records: Iterable[Record], resolved: str | None = None
) -> Record | None:
    """Returns the newest record with the identity of `spec`, each compared by its own algorithm.

    Without `resolved`, the result of a moving reference is not compared: the newest record holds
    what the reference stands for, so neither a restart nor a registry that is unreachable changes
    what serves (R26). A followed reference that returns to an earlier result makes the record of
    that result the newest again (`RenumberRevision`). A record with an unknown algorithm never
    matches; see `newer_algorithm`.
    """
    identity = identity_v1(spec)
    digests: dict[str, str] = {}

    def is_of_spec(record: Record) -> bool:
        if record.algorithm == RESOLVED:
            name, stored = "v1", record.spec_digest
        else:
            name, stored = record.algorithm, record.digest
        if name in _ALGORITHMS and name not in digests:
            digests[name] = _ALGORITHMS[name](identity)
        return name in digests and digests[name] == stored

    matches = (record for record in records if record.intact and is_of_spec(record))
    same = (record for record in matches if resolved is None or record.resolved == resolved)
    return max(same, key=lambda record: record.number, default=None)


def newer_algorithm(spec: Mapping[str, Any], records: Iterable[Record]) -> Record | None:
    """Returns the newest record if a newer operator created it and it may be the one of `spec`.

    Creating another record then could roll out what already serves, so the model is left alone.
    """
    stored = list(records)
    newest = max(stored, key=lambda record: record.number, default=None)
    supported = (*_ALGORITHMS, RESOLVED)
    if newest is None or newest.algorithm in supported or not newest.intact:
        return None
    return None if find(spec, stored) else newest


@dataclass(frozen=True, slots=True)
class NewRecord:
    """A revision to be stored: its name, its number in the history, and its identity."""

    revision: str
    number: int
    digest: str
    identity: Mapping[str, Any]
    algorithm: str = ALGORITHM
    after: str | None = None
    retry: str | None = None


def new_record(
    spec: Mapping[str, Any],
    records: Iterable[Record],
    *,
    after: str | None = None,
    retry: str | None = None,
    resolved: str | None = None,
) -> NewRecord:
    """Returns a new revision for `spec`, whose URI stands for `resolved` if it moves.

    `after` is the revision that is stable now, `retry` the token of the retry command. A retry of
    the same identity gets a suffix (`-2`, `-3` …), because the record of the first attempt is
    immutable and terminating pods may still use the name of its Deployment.
    """
    stored = list(records)
    identity = identity_v2(spec, resolved) if resolved else identity_v1(spec)
    digest = digest_v1(identity)
    name = short_name(digest)
    serials = [_serial(r.revision) for r in stored if r.revision.split("-")[0] == name]
    return NewRecord(
        revision=f"{name}-{max(serials) + 1}" if serials else name,
        number=next_number(stored),
        digest=digest,
        identity=identity,
        algorithm=RESOLVED if resolved else ALGORITHM,
        after=after,
        retry=retry,
    )


def next_number(records: Iterable[Record]) -> int:
    """Returns the number of the next revision in the history: above those of all `records`."""
    return max((record.number for record in records), default=0) + 1


def _serial(revision: str) -> int:
    suffix = revision.partition("-")[2]
    return int(suffix) if suffix.isdigit() else 1
