"""Caches the PodDisruptionBudgets of the operator's scope: those of models, and those of others.

One watch covers all of them (decision 0044). The API server rejects every eviction of a pod that
two budgets select, so a model that has a budget from another owner gets none from the operator.

Of the budget of another owner only its selector is kept; a budget with our label is in the cache
of the models' children. Memory is bounded: of the others, so many per namespace are kept, and none
with a selector of too many terms.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from canarium.core.facts.label_selectors import Labels, selects
from canarium.core.facts.observed import Deployment, DisruptionBudget
from canarium.engine.cache.children import Child, live_content
from canarium.engine.cache.ownership import controller
from canarium.kube.cache import Cache, Key
from canarium.render import labels

Raw = dict[str, Any]
#: Bounds of what is kept of one namespace: budgets, and bytes of a selector.
_MOST, _LONGEST = 1000, 4096


@dataclass(frozen=True, slots=True)
class OtherBudget:
    """A PodDisruptionBudget of another owner; `selector` is JSON, None if it selects nothing."""

    namespace: str
    name: str
    uid: str
    version: int = field(compare=False)
    selector: bytes | None
    #: UID of the object that controls it.
    owner: str | None = None

    def selects(self, pod: Labels) -> bool:
        """Returns whether it selects a pod with these labels."""
        return self.selector is not None and selects(orjson.loads(self.selector), pod)


class DisruptionBudgets(Cache[OtherBudget]):
    """The budgets of other owners. `children` caches those of models; `wake` is called with each
    namespace and the selectors there that changed, or None if what can be read changed."""

    def __init__(
        self,
        children: Cache[Any],
        wake: Callable[[str | None, tuple[OtherBudget, ...]], None],
    ) -> None:
        super().__init__(_other, self._changed)
        self._children, self._wake = children, wake
        self._by_namespace: dict[str, dict[str, OtherBudget]] = {}
        #: Namespaces (None: all) that have been listed, and whether that was permitted.
        self._readable: dict[str | None, bool] = {}

    def is_readable(self, namespace: str) -> bool:
        """Returns whether the budgets of `namespace` have been listed."""
        return self._readable.get(None, self._readable.get(namespace, False))

    def answered(self, namespace: str | None, status: int | None) -> None:
        """Notes the answer to a list: None for success, else the HTTP status."""
        before = self._readable.get(namespace)
        self._readable[namespace] = status is None
        if before is not None and before is not (status is None):
            self._wake(namespace, ())

    def observed(
        self,
        key: Key,
        children: Iterable[Child[DisruptionBudget]],
        deployments: Mapping[str, Deployment],
    ) -> tuple[tuple[DisruptionBudget, ...] | None, frozenset[str]]:
        """Returns the budgets of the `deployments` of a model, which are by their UIDs, and the
        revisions that have one of another owner. The first is None if they cannot be listed.

        One without an owner that the model may adopt is neither: it is taken over once it is
        wanted.
        """
        if not self.is_readable(key[0]):
            return None, frozenset()
        ours = tuple(c.fact for c in children if c.owner in deployments)
        # One of ours that lost its label is restored, not replaced.
        names = {uid: deployment.name for uid, deployment in deployments.items()}
        others = [
            *(
                other
                for other in self._by_namespace.get(key[0], {}).values()
                if other.owner is None or names.get(other.owner) != other.name
            ),
            *(_labeled(c) for c in children if c.owner not in deployments and not c.adoptable),
        ]
        return ours, frozenset(
            deployment.revision
            for deployment in (deployments.values() if others else ())
            if any(other.selects(pod_labels(key, deployment)) for other in others)
        )

    def observe(self, raw: Raw) -> None:
        meta = raw["metadata"]
        place = (meta.get("namespace", ""), meta["name"])
        uid, version = meta["uid"], int(meta["resourceVersion"])
        if labels.MODEL in (meta.get("labels") or {}):
            self._children.observe(raw)
            if place in self.items:
                # It got our label: it is no longer one of another owner.
                super().forget(*place, uid, version)
            return
        if place in self._children.items:
            # It lost our label: a watch by label would report it as deleted.
            self._children.forget(*place, uid, version)
        super().observe(raw)

    def forget(self, namespace: str, name: str, uid: str, version: float = float("inf")) -> None:
        if (namespace, name) in self._children.items:
            self._children.forget(namespace, name, uid, version)
        else:
            super().forget(namespace, name, uid, version)

    def retain(self, listed: set[Key], version: int, namespace: str | None) -> None:
        self._children.retain(listed, version, namespace)
        super().retain(listed, version, namespace)

    def drop(self, namespace: str) -> None:
        self._children.drop(namespace)
        super().drop(namespace)
        self._readable.pop(namespace, None)

    def _put(self, key: Key, old: OtherBudget | None, new: OtherBudget) -> None:
        if old or len(self._by_namespace.get(new.namespace, ())) < _MOST:
            super()._put(key, old, new)

    def _changed(self, old: OtherBudget | None, new: OtherBudget | None) -> None:
        some = new or old
        assert some is not None
        here = self._by_namespace.setdefault(some.namespace, {})
        if new:
            here[new.name] = new
        else:
            del here[some.name]
            if not here:
                del self._by_namespace[some.namespace]
        if self.is_readable(some.namespace):
            self._wake(some.namespace, tuple(b for b in (old, new) if b))


def pod_labels(key: Key, deployment: Deployment) -> dict[str, str]:
    """Returns the labels of the pods of a Deployment of the model `key`."""
    ours = {**labels.of(key[1], deployment.revision), labels.COLOR: deployment.color}
    return {**dict(deployment.extra_labels), **ours}


def _other(raw: Raw) -> OtherBudget:
    meta, spec = raw["metadata"], raw.get("spec") or {}
    return OtherBudget(
        namespace=meta.get("namespace", ""),
        name=meta["name"],
        uid=meta["uid"],
        version=int(meta["resourceVersion"]),
        selector=_packed(spec.get("selector")),
        owner=controller(raw),
    )


def _labeled(child: Child[DisruptionBudget]) -> OtherBudget:
    """Returns a budget with our label that another object owns, such as a Deployment that was
    deleted and whose budget the garbage collector is about to delete."""
    selector = live_content(child)["spec"].get("selector")
    return OtherBudget(child.namespace, child.name, child.uid, child.version, _packed(selector))


def _packed(selector: Any) -> bytes | None:
    text = None if selector is None else orjson.dumps(selector)
    return text if text is not None and len(text) <= _LONGEST else None
