"""Indexes the requests that each route in the operator's scope claims, of any owner.

One watch covers all routes of a kind, so a route that conflicts with a model's is found without
further requests or watches. Of a foreign route only its `RouteClaim` is kept; a route with our
label is also in the cache of the model's children.

Invariants: `_index` has exactly the claims in `items`, under each Gateway, match and hostname that
they name. `_reported` has the last conflict found for each of our routes: a foreign route that does
not change it wakes no model. Memory is bounded, also per namespace.
"""

from __future__ import annotations

from bisect import insort
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from operator import attrgetter
from typing import Any

from canarium.core.facts.gateways import RouteConflict
from canarium.core.facts.route_claims import (
    ANY_HOST,
    Attachment,
    Match,
    RouteClaim,
    covers,
    hosts_on,
)
from canarium.core.facts.route_precedence import Listeners, conflict
from canarium.engine.cache.claimed_requests import claim
from canarium.kube.cache import Cache, Key
from canarium.render import labels

Raw = dict[str, Any]
#: Bound for one namespace, and for all, in units of `_weight`. A typical route has one or two.
_MOST_OF_ONE, _MOST = 20_000, 100_000
_ORDER = attrgetter("order")


class Claims(Cache[RouteClaim]):
    """The claims of one kind of route. `children` caches the models' own routes; `wake` is called
    with the key of each model whose conflict may have changed."""

    def __init__(
        self,
        children: Cache[Any],
        listeners: Callable[[Iterable[Attachment]], Listeners],
        wake: Callable[[Key], None],
        most: tuple[int, int] = (_MOST_OF_ONE, _MOST),
    ) -> None:
        super().__init__(claim, self._changed)
        self._children, self._listeners, self._wake = children, listeners, wake
        self._most_of_one, self._most = most
        self._index: dict[tuple[Key, Match], dict[str, list[RouteClaim]]] = {}
        #: Weight of what is kept, by namespace and of all.
        self._weights: Counter[str] = Counter()
        self._weight = 0
        self._reported: dict[Key, RouteConflict | None] = {}

    def observe(self, raw: Raw) -> None:
        meta = raw["metadata"]
        place = (meta.get("namespace", ""), meta["name"])
        if labels.MODEL in (meta.get("labels") or {}):
            self._children.observe(raw)
        elif place in self._children.items:
            # It lost our label: a watch by label would report it as deleted.
            self._children.forget(*place, meta["uid"], int(meta["resourceVersion"]))
        super().observe(raw)

    def forget(self, namespace: str, name: str, uid: str, version: float = float("inf")) -> None:
        # Only ours: the cache remembers a limited number of deletions.
        if (namespace, name) in self._children.items:
            self._children.forget(namespace, name, uid, version)
        super().forget(namespace, name, uid, version)

    def retain(self, listed: set[Key], version: int, namespace: str | None) -> None:
        self._children.retain(listed, version, namespace)
        super().retain(listed, version, namespace)

    def drop(self, namespace: str) -> None:
        self._children.drop(namespace)
        super().drop(namespace)

    def conflict(self, key: Key) -> RouteConflict | None:
        """Returns the conflict of the route of the model `key`, if any."""
        ours = self.items.get(key)
        if ours is None:
            return None
        current = conflict(ours, self._competing_routes(ours), self._listeners(ours.attachments))
        self._reported[key] = current
        return current

    def _put(self, key: Key, old: RouteClaim | None, new: RouteClaim) -> None:
        if self._has_room(old, new):
            super()._put(key, old, new)
        elif old:
            del self.items[key]
            self._changed(old, None)

    def _has_room(self, old: RouteClaim | None, new: RouteClaim) -> bool:
        more = _weight(new) - (_weight(old) if old else 0)
        here = self._weights[new.namespace] + more
        return more <= 0 or (here <= self._most_of_one and self._weight + more <= self._most)

    def _changed(self, old: RouteClaim | None, new: RouteClaim | None) -> None:
        if old:
            self._drop_entries(old)
        if new:
            for place, host in _places(new):
                insort(self._index.setdefault(place, {}).setdefault(host, []), new, key=_ORDER)
            self._weigh(new.namespace, _weight(new))
        elif old:
            self._reported.pop((old.namespace, old.name), None)
        for changed in (some for some in (old, new) if some):
            for rival in self._competing_routes(changed):
                if rival.model and self._matters(changed, (rival.namespace, rival.name)):
                    self._wake((rival.namespace, rival.name))

        if new and new.model:
            key = (new.namespace, new.name)
            reported = self._reported.get(key)
            if self.conflict(key) != reported:
                self._wake(key)

    def _matters(self, changed: RouteClaim, key: Key) -> bool:
        """Returns whether the contradiction that the model `key` reports may be another one now:
        not when it loses to a route that precedes `changed`, so that many that claim the same are
        cheap."""
        reported = self._reported.get(key)
        if reported is None or not reported.lost:
            return True
        winner = self.items.get((reported.namespace, reported.name))
        return winner is None or changed.order <= winner.order

    def _drop_entries(self, old: RouteClaim) -> None:
        for place, host in _places(old):
            hosts = self._index[place]
            hosts[host].remove(old)
            if not hosts[host]:
                del hosts[host]
            if not hosts:
                del self._index[place]
        self._weigh(old.namespace, -_weight(old))

    def _weigh(self, namespace: str, more: int) -> None:
        self._weight += more
        self._weights[namespace] += more
        if not self._weights[namespace]:
            del self._weights[namespace]

    def _competing_routes(self, of: RouteClaim) -> Iterator[RouteClaim]:
        """Yields other routes that may claim requests of `of`: with an equal match, and a common
        hostname."""
        hosts = dict.fromkeys(of.hostnames or (ANY_HOST,))
        for some in (self._listeners(of.attachments) or {}).values():
            for listener in some:
                hosts |= dict.fromkeys(hosts_on(of, listener))
        above = dict.fromkeys(general for host in hosts for general in _above(host))
        wildcards = tuple(host for host in of.hostnames if host.startswith("*."))
        for place in dict.fromkeys((a.gateway, m) for a in of.attachments for m in of.matches):
            by_host = self._index.get(place, {})
            beneath = (h for h in tuple(by_host) if any(covers(w, h) for w in wildcards))
            for host in chain(above, beneath if wildcards else ()):
                for other in tuple(by_host.get(host, ())):
                    if (other.namespace, other.name) != (of.namespace, of.name):
                        yield other


def _above(host: str) -> Iterator[str]:
    """Returns `host` and every hostname that covers it."""
    yield host
    parts = host.removeprefix("*.").split(".")
    for at in range(1, len(parts)):
        yield f"*.{'.'.join(parts[at:])}"
    if host:
        yield ANY_HOST


def _places(of: RouteClaim) -> Iterator[tuple[tuple[Key, Match], str]]:
    for gateway in dict.fromkeys(a.gateway for a in of.attachments):
        for match in dict.fromkeys(of.matches):
            for host in dict.fromkeys(of.hostnames or (ANY_HOST,)):
                yield (gateway, match), host


def _weight(of: RouteClaim) -> int:
    """Returns how much memory `of` needs: entries of the index, and long texts."""
    texts = sum(
        len(match.path) + sum(len("".join(one)) for one in (*match.headers, *match.query))
        for match in of.matches
    )
    return len(list(_places(of))) + texts // 1000
