"""Caches CheckTemplates and ClusterCheckTemplates, and finds those that a spec refers to."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from canarium.api.check_template import CLUSTER, NAMESPACED
from canarium.core.facts.check_templates import CheckTemplate
from canarium.engine.cache.children import Raw
from canarium.kube import resources
from canarium.kube.cache import Cache


@dataclass(frozen=True, slots=True)
class CachedTemplate:
    """A CheckTemplate or, with no namespace, a ClusterCheckTemplate."""

    namespace: str
    name: str
    uid: str
    version: int = field(compare=False)
    template: CheckTemplate


def template(kind: str, raw: Raw) -> CachedTemplate:
    meta = raw["metadata"]
    # What people read, such as a description, judges nothing.
    spec = {key: raw["spec"][key] for key in ("args", "checks") if key in raw["spec"]}
    text = json.dumps(spec, sort_keys=True, separators=(",", ":"))
    return CachedTemplate(
        meta.get("namespace", ""),
        meta["name"],
        meta["uid"],
        int(meta["resourceVersion"]),
        CheckTemplate(kind, meta["name"], text),
    )


class CheckTemplates:
    """The caches of both kinds. `changed(kind, namespace, name)` is called for each change.

    `namespace` is "" for a ClusterCheckTemplate.
    """

    def __init__(self, changed: Callable[[str, str, str], None]) -> None:
        self._changed = changed
        self._namespaced = Cache(partial(template, NAMESPACED), self._notify)
        self._cluster = Cache(partial(template, CLUSTER), self._notify)
        self.caches = {resources.CHECK_TEMPLATES: self._namespaced}
        self.cluster_caches = {resources.CLUSTER_CHECK_TEMPLATES: self._cluster}

    def named(
        self, namespace: str, references: Iterable[tuple[str, str]]
    ) -> tuple[CheckTemplate, ...]:
        """Returns the templates that exist of those with this kind and name."""
        existing = (
            self._cluster.items.get(("", name))
            if kind == CLUSTER
            else self._namespaced.items.get((namespace, name))
            for kind, name in references
        )
        return tuple(one.template for one in existing if one)

    def _notify(self, old: CachedTemplate | None, new: CachedTemplate | None) -> None:
        some = new or old
        assert some is not None
        self._changed(some.template.kind, some.namespace, some.name)


def references(spec: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yields kind and name of the templates that a raw `spec` refers to, in its order."""
    analysis = (spec.get("rollout") or {}).get("analysis") or {}
    for use in analysis.get("templates") or ():
        if use.get("name"):
            yield use.get("kind") or NAMESPACED, use["name"]
