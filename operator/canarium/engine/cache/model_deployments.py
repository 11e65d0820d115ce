"""Caches ModelDeployments: compressed, beside the few facts that are needed without
decompressing."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import orjson

from canarium import GROUP
from canarium.api.decode import decode_spec
from canarium.api.effective_spec import EffectiveSpec, effective_spec
from canarium.api.model_deployment import Spec
from canarium.api.route_kind import RouteKind
from canarium.api.states import Phase
from canarium.core.context.commands import ANNOTATIONS, NAMED
from canarium.engine.cache import check_templates
from canarium.engine.cache.children import shared
from canarium.engine.cache.compression import Compressor
from canarium.engine.cache.routes import ROUTES, wanted_kind

Raw = dict[str, Any]
_MODELS = Compressor()


@dataclass(frozen=True, slots=True)
class CachedModel:
    """A ModelDeployment as last observed, without managedFields."""

    namespace: str
    name: str
    uid: str
    version: int = field(compare=False)
    #: What users change: the spec by its generation, annotations, and, during deletion, finalizers.
    desired_state: tuple[str, int, int, tuple[str, ...] | None] = field(compare=False)
    #: A hash of the status.
    status_hash: int = field(compare=False)
    phase: str = field(compare=False)
    #: Kinds of the routes that it asks for or already has.
    routes: tuple[RouteKind, ...] = field(compare=False)
    content: bytes
    #: Kind and name of the templates of checks that it uses.
    check_templates: tuple[tuple[str, str], ...] = field(default=(), compare=False)
    #: Who wrote the spec last: manager, operation and time.
    applied: Mapping[str, str] | None = field(default=None, compare=False)

    @property
    def raw(self) -> Raw:
        """The object; callers share it and must not change it."""
        return _raw(self.content)

    @property
    def spec(self) -> Spec:
        """The validated spec. Raises UnsupportedResource."""
        return _spec(self._spec_content)

    def effective_spec(self, startup_budget: float | None) -> EffectiveSpec:
        """Returns the spec with its defaults. Raises UnsupportedResource."""
        return _effective_spec(self._spec_content, startup_budget)

    @property
    def _spec_content(self) -> bytes:
        """The spec alone: the object changes with each status."""
        return orjson.dumps(self.raw["spec"])


@lru_cache(maxsize=16)
def _raw(content: bytes) -> Raw:
    """Returns the decompressed object.

    The cache is sized for the models that are reconciled at a time, each of which reads it several
    times.
    """
    raw: Raw = _MODELS.decompress(content)
    return raw


@lru_cache(maxsize=32)
def _spec(content: bytes) -> Spec:
    """Validates each spec once, for decisions and signals alike."""
    return decode_spec(orjson.loads(content))


@lru_cache(maxsize=32)
def _effective_spec(content: bytes, startup_budget: float | None) -> EffectiveSpec:
    return effective_spec(_spec(content), startup_budget)


def parent(raw: Raw) -> CachedModel:
    meta, status = raw["metadata"], raw.get("status") or {}
    content = {**raw, "metadata": {k: v for k, v in meta.items() if k != "managedFields"}}
    live = status.get("route") or {}
    kinds = {wanted_kind(raw.get("spec") or {}), (live.get("group"), live.get("kind"))}
    return CachedModel(
        namespace=meta["namespace"],
        name=meta["name"],
        uid=meta["uid"],
        version=int(meta["resourceVersion"]),
        desired_state=(
            meta["uid"],
            meta.get("generation", 0),
            _hash(meta.get("annotations") or {}),
            tuple(meta.get("finalizers") or ()) if "deletionTimestamp" in meta else None,
        ),
        status_hash=_hash(status),
        phase=status.get("phase", Phase.PENDING),
        routes=tuple(kind for kind in ROUTES if kind in kinds),
        content=_MODELS.compress(content),
        check_templates=tuple(check_templates.references(raw.get("spec") or {})),
        applied=_applied(meta.get("managedFields") or ()),
    )


def commands(raw: Raw) -> tuple[tuple[str, str], ...]:
    """Returns the annotations of our group, without its prefix (R16), and a few unknown ones."""
    ours, notes = f"{GROUP}/", raw["metadata"].get("annotations") or {}
    annotations = [
        (key.removeprefix(ours), value) for key, value in notes.items() if key.startswith(ours)
    ]
    supported = sorted(item for item in annotations if item[0] in ANNOTATIONS)
    # One more than an answer names, so that it can report that there are others.
    unknown = heapq.nsmallest(
        NAMED + 2, (item for item in annotations if item[0] not in ANNOTATIONS)
    )
    return (*supported, *unknown)


def _hash(content: Mapping[str, Any]) -> int:
    return hash(orjson.dumps(content, option=orjson.OPT_SORT_KEYS))


def _applied(managed: Iterable[Raw]) -> dict[str, str] | None:
    """Returns who wrote the spec last: the newest entry that owns any of it."""
    writers = [
        entry
        for entry in managed
        if not entry.get("subresource") and "f:spec" in (entry.get("fieldsV1") or {})
    ]
    if not writers:
        return None
    last = max(writers, key=lambda entry: entry.get("time") or "")
    return {
        key: shared(str(last[key])) for key in ("manager", "operation", "time") if last.get(key)
    }
