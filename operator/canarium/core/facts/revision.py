"""Identity of a revision (R1): a hash over what decides which bytes answer a request.

The hash is taken over the raw object, as the user wrote it, never over a model's dump: a new
default or a new field of ours must not make a new revision of anybody's model. The algorithm
has a version; a stored record is compared by the algorithm that it was made with.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

#: Verdict of a revision that has failed (R9).
QUARANTINED = "Quarantined"
ALGORITHM = "v1"
#: Of a record whose identity is lost: its digest is the short one that names it.
BY_NAME = "v1-name"
#: Kubernetes' own alphabet for generated names: no vowels, so no words.
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_LENGTH = 8


@dataclass(frozen=True, slots=True)
class Record:
    """A stored ControllerRevision, as far as decisions need it. Times are ISO strings."""

    revision: str
    number: int
    algorithm: str
    digest: str
    identity: Mapping[str, Any]
    version: str | None
    #: From when to when it and those before it had traffic, as far as was known (JSON).
    served: str | None
    verdict: str | None
    owned: bool = True
    #: False: somebody made or altered it by hand, so its content is not what its digest says.
    intact: bool = True
    created_at: str | None = None
    lineage: Mapping[str, str] | None = None
    #: The runtime that it was rendered from, and the digest of that.
    runtime: str | None = None
    runtime_digest: str | None = None
    #: The failure that came with the verdict, as the status had it (JSON).
    failure: str | None = None
    #: Commands that were consumed for it, each `command/token`, and "paused" while it is.
    commands: tuple[str, ...] = ()
    #: The token of the retry that made it.
    retry: str | None = None
    #: The revision that was stable when this one was made: so that one was promoted.
    after: str | None = None
    #: Its first pod is to say which bytes it fetched, before the others start.
    pins: bool = False
    #: The digest of the model that was fetched, once a pod has said so.
    artifact: str | None = None
    #: Images as the kubelet resolved them, once a pod was ready: JSON of container → id.
    images: str | None = None
    uri: str | None = None
    #: Whether its data survives a strategic merge patch (`kube.canonical`).
    canonical: bool = True


def identity_v1(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The identity fields of a raw `spec`: everything that decides what serves."""
    identity = {
        key: spec[key]
        for key in ("runtime", "resources", "pod", "podTemplate", "restartToken")
        if spec.get(key) not in (None, {}, "")
    }
    identity["model"] = {k: v for k, v in (spec.get("model") or {}).items() if k != "lineage"}
    return identity


def digest_v1(identity: Mapping[str, Any]) -> str:
    """SHA-256 over canonical JSON: sorted keys, no spaces, UTF-8."""
    text = json.dumps(identity, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


_ALGORITHMS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "v1": lambda spec: digest_v1(identity_v1(spec)),
    BY_NAME: lambda spec: short_name(digest_v1(identity_v1(spec))),
}


def digest_matches(algorithm: str, digest: str, identity: Any) -> bool:
    """Whether a stored identity still has the digest that was stored with it; one of an algorithm
    that is not known here is believed."""
    if algorithm != ALGORITHM:
        return True
    return isinstance(identity, Mapping) and digest_v1(identity) == digest


#: What a record's identity does not say and its Deployment is made from.
_SEALED = ("template", "runtime", "model")


def seal(data: Mapping[str, Any]) -> str:
    """SHA-256 over what a Deployment is made from, as a record has it in its `data`.

    The API server lets nobody change a record, but somebody may delete it and make another of
    its name and identity.
    """
    return digest_v1({key: data[key] for key in _SEALED if data.get(key) is not None})


def seal_is_valid(data: Mapping[str, Any]) -> bool:
    """Whether a record is as it was stored; one from before records had a seal is believed."""
    return "seal" not in data or data["seal"] == seal(data)


def short_name(digest: str) -> str:
    """The name part of a digest: 8 characters that are safe in labels and DNS names."""
    number = int(digest, 16)
    letters = []
    for _ in range(_LENGTH):
        number, place = divmod(number, len(_ALPHABET))
        letters.append(_ALPHABET[place])
    return "".join(letters)


def find(spec: Mapping[str, Any], records: Iterable[Record]) -> Record | None:
    """The newest record that has the identity of `spec`, each judged by its own algorithm.

    A record of an algorithm that this operator does not know is no match; see `newer_algorithm`.
    """
    matches = [
        record
        for record in records
        if record.intact
        and record.algorithm in _ALGORITHMS
        and _ALGORITHMS[record.algorithm](spec) == record.digest
    ]
    return max(matches, key=lambda record: record.number, default=None)


def newer_algorithm(spec: Mapping[str, Any], records: Iterable[Record]) -> Record | None:
    """The newest record, if a newer operator made it and it may be what `spec` asks for.

    To mint another one then could roll out what already serves, so the model is left alone.
    """
    known = list(records)
    newest = max(known, key=lambda record: record.number, default=None)
    if newest is None or newest.algorithm in _ALGORITHMS or not newest.intact:
        return None
    return None if find(spec, known) else newest


@dataclass(frozen=True, slots=True)
class NewRecord:
    """A revision about to be stored: its name, place in the history, and identity."""

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
) -> NewRecord:
    """A new revision for `spec`; `after` is the revision that is stable now, `retry` the token of
    the command that asks for it.

    A retry of the same identity gets a suffix (`-2`, `-3` …), since its predecessor's record is
    immutable and its Deployment's name may still be taken by terminating pods.
    """
    known = list(records)
    identity = identity_v1(spec)
    digest = digest_v1(identity)
    name = short_name(digest)
    taken = [_serial(r.revision) for r in known if r.revision.split("-")[0] == name]
    return NewRecord(
        revision=f"{name}-{max(taken) + 1}" if taken else name,
        number=max((record.number for record in known), default=0) + 1,
        digest=digest,
        identity=identity,
        after=after,
        retry=retry,
    )


def _serial(revision: str) -> int:
    suffix = revision.partition("-")[2]
    return int(suffix) if suffix.isdigit() else 1
