"""A child object as the caches keep it: its identity, its facts, and its compressed content."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from sys import intern
from typing import Any, Generic, TypeVar

from canarium.core.facts.gateways import Backend
from canarium.core.facts.observed import Service
from canarium.engine.cache.compression import Compressor
from canarium.engine.cache.managed_fields import owned_by_us
from canarium.engine.cache.ownership import (
    controller,
    controller_name,
    foreign_finalizers,
    is_adoptable,
    is_inherited,
)
from canarium.render import labels

F = TypeVar("F")
Raw = dict[str, Any]
#: By the type of their facts, which is one for each kind of object.
_PACKINGS: defaultdict[type, Compressor] = defaultdict(Compressor)


@dataclass(frozen=True, slots=True)
class Child(Generic[F]):
    """An object of ours: its identity, its owner, and its facts.

    `content` is what drift detection compares, compressed. Two that differ only in their
    resourceVersion are equal, so such a change wakes no model.
    """

    namespace: str
    name: str
    uid: str
    version: int = field(compare=False)
    model: str
    owner: str | None
    fact: F
    content: bytes = b""
    #: Whether it has no owner, and the model may adopt it.
    adoptable: bool = False
    #: Whether its owner is a model of this name, be it this one or a deleted one.
    inherited: bool = False
    #: Finalizers of other controllers that block its deletion, and when that began.
    finalizers: tuple[str, ...] = ()
    deleted: float | None = None
    #: `Kind/name` of the owner of a Service or backend.
    controller: str = ""


def child(raw: Raw, fact: F, content: Any = None, model: str | None = None) -> Child[F]:
    meta = raw["metadata"]
    owner = controller(raw)
    # Strings that the children of a model share are interned.
    name = intern(model or meta.get("labels", {}).get(labels.MODEL, ""))
    return Child(
        namespace=intern(meta.get("namespace", "")),
        name=meta["name"],
        uid=meta["uid"],
        version=int(meta["resourceVersion"]),
        model=name,
        owner=intern(owner) if owner else None,
        fact=fact,
        content=_PACKINGS[type(fact)].compress(content) if content is not None else b"",
        adoptable=owner is None and is_adoptable(raw, name),
        inherited=is_inherited(raw, name),
        finalizers=foreign_finalizers(meta),
        deleted=parse_optional_time(meta.get("deletionTimestamp")),
        controller=(controller_name(raw) or "") if isinstance(fact, Service | Backend) else "",
    )


def shared(text: Any) -> Any:
    """Returns the interned text: for what many objects have in common, such as a revision or an
    image. Other values are returned as they are."""
    return intern(text) if type(text) is str else text


def live_content(child: Child[Any]) -> Any:
    """Returns the live content that `child` keeps for drift detection."""
    return _PACKINGS[type(child.fact)].decompress(child.content)


def compared(raw: Raw, spec: Raw) -> Raw:
    """Returns the part of a live object that drift detection compares; `spec` is the part that we
    set."""
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


def parse_time(text: str) -> float:
    """Returns the POSIX seconds of a time that Kubernetes wrote."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def parse_optional_time(text: str | None) -> float | None:
    """Returns the POSIX seconds of a time, or None where there is none or it is not valid."""
    try:
        return parse_time(text) if text else None
    except ValueError:
        return None
