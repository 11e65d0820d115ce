"""Limits repairs of children that another client keeps changing back."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from canarium.api.reasons import RejectionReason
from canarium.core.facts.object_ref import ObjectRef
from canarium.core.facts.observed import Rejection
from canarium.engine.apply.rejections import WriteRejected
from canarium.engine.cache.store import Key
from canarium.kube.resources import Resource

#: So many repairs of one object within so many seconds mean that another client reverts them.
_REPAIRS, _WITHIN = 3, 300.0
#: Seconds between repairs from then on.
_INTERVAL = 30.0


class RepairLimiter:
    """Limits how often one object is repaired, so that two controllers do not race endlessly."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._repairs: dict[Key, dict[tuple[Resource, str], list[float]]] = {}

    def attempt(self, key: Key, resource: Resource, name: str, paths: Iterable[str]) -> None:
        """Counts a repair. Raises WriteRejected when it has to wait."""
        now, repairs = self._clock(), self._repairs.setdefault(key, {})
        recent = [at for at in repairs.get((resource, name), ()) if now - at < _WITHIN]
        if len(recent) >= _REPAIRS and now - recent[-1] < _INTERVAL:
            text = (
                f"another client keeps changing {', '.join(sorted(paths)[:3])}; the operator "
                f"restores it every {_INTERVAL:.0f}s; stop that client, or change the model's spec"
            )
            reason = RejectionReason.CONTESTED.value
            raise WriteRejected(Rejection(ObjectRef(resource.kind, name), text, reason=reason))
        repairs[resource, name] = [*recent[-_REPAIRS:], now]

    def forget(self, key: Key) -> None:
        self._repairs.pop(key, None)
