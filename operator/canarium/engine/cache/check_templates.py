"""Caches CheckTemplates and ClusterCheckTemplates, and finds those that a spec refers to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import Any

from canarium.api.check_template import CLUSTER, NAMESPACED
from canarium.api.reasons import ConditionReason
from canarium.core.facts.check_templates import CheckTemplate, check_template
from canarium.engine.cache.children import Raw
from canarium.kube import resources
from canarium.kube.cache import Cache
from canarium.kube.resources import Resource


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
    return CachedTemplate(
        meta.get("namespace", ""),
        meta["name"],
        meta["uid"],
        int(meta["resourceVersion"]),
        check_template(kind, meta["name"], raw["spec"]),
    )


class CheckTemplates:
    """The caches of both kinds. `changed(kind, namespace, name)` is called for each change.

    `namespace` is "" for a ClusterCheckTemplate. `readable(kind, namespace)` is called when the
    API server begins or ceases to list a kind; its `namespace` is None for all namespaces.
    """

    def __init__(
        self,
        changed: Callable[[str, str, str], None],
        readable: Callable[[str, str | None], None],
    ) -> None:
        self._changed, self._readable = changed, readable
        self._unread: dict[tuple[str, str | None], int] = {}
        self._namespaced = Cache(partial(template, NAMESPACED), self._notify)
        self._cluster = Cache(partial(template, CLUSTER), self._notify)
        self.caches = {resources.CHECK_TEMPLATES: self._namespaced}
        self.cluster_caches = {resources.CLUSTER_CHECK_TEMPLATES: self._cluster}

    def named(
        self, namespace: str, references: Iterable[tuple[str, str]]
    ) -> tuple[CheckTemplate, ...]:
        """Returns the templates that exist of those with this kind and name, and those that cannot
        be read."""
        templates = (self._named(namespace, kind, name) for kind, name in references)
        return tuple(one for one in templates if one)

    def answered(self, resource: Resource, namespace: str | None, status: int | None) -> None:
        """Notes the answer to a list of `resource`: None for success, else the HTTP status."""
        kind = CLUSTER if resource in self.cluster_caches else NAMESPACED
        before = self._unread.pop((kind, namespace), None)
        if status is not None:
            self._unread[kind, namespace] = status
        if status != before:
            self._readable(kind, namespace)

    def _named(self, namespace: str, kind: str, name: str) -> CheckTemplate | None:
        resource, cache, place = resources.CHECK_TEMPLATES, self._namespaced, namespace
        if kind == CLUSTER:
            resource, cache, place = resources.CLUSTER_CHECK_TEMPLATES, self._cluster, ""
        status = self._unread.get((kind, None)) or self._unread.get((kind, namespace))
        where = f"{resource.plural}.{resource.group}"
        reason = ConditionReason.CHECK_TEMPLATE_NOT_FOUND
        if status == HTTPStatus.FORBIDDEN:
            text = f"cannot be read: the operator is not allowed to list {where}"
            return CheckTemplate(kind, name, unusable=(reason, text))
        if status == HTTPStatus.NOT_FOUND:
            text = f"cannot be read: the cluster does not serve {where}; install its CRD"
            return CheckTemplate(kind, name, unusable=(reason, text))
        one = cache.items.get((place, name))
        return one.template if one else None

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
