"""All models of a namespace or of the cluster as they change, by one watch."""

from __future__ import annotations

import queue
from collections.abc import Iterable
from types import TracebackType
from typing import Self

from canarium.view.objects import Raw, part, text
from canarium_cli.following import LISTED, MODEL, Follower
from canarium_cli.kubectl import Kubectl
from canarium_cli.reads import namespace_of, warn_of_skew


class FleetWatch:
    """The models that match a selector, read once and then kept current by a thread.

    The constructor raises CliError, so that faults of the command line precede the first view.
    """

    def __init__(self, kubectl: Kubectl, selector: str | None, everywhere: bool) -> None:
        words = {"labelSelector": selector} if selector else {}
        namespace = "" if everywhere else namespace_of(kubectl)
        self._follower = Follower(kubectl, MODEL, namespace, **words)
        self._changes: queue.Queue[tuple[str, list[Raw]]] = queue.Queue()
        self._models: dict[tuple[str, str], Raw] = {}
        self._apply(LISTED, self._follower.objects())
        warn_of_skew(self._models.values())

    def __enter__(self) -> Self:
        self._follower.follow(lambda change, models: self._changes.put((change, models)))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._follower.stop()

    @property
    def fault(self) -> str:
        """Why the models may be out of date; empty while they are current."""
        return self._follower.fault

    @property
    def models(self) -> Iterable[Raw]:
        """The models as of the last `update`."""
        return self._models.values()

    def update(self, seconds: float = 0.0) -> bool:
        """Applies what has changed, and returns whether anything has; waits for that, at most for
        `seconds`."""
        changed = False
        try:
            self._apply(*self._changes.get(timeout=max(0.001, seconds)))
            changed = True
            while True:
                self._apply(*self._changes.get_nowait())
        except queue.Empty:
            return changed

    def _apply(self, change: str, models: Iterable[Raw]) -> None:
        if change == LISTED:
            self._models.clear()
        for model in models:
            if change == "DELETED":
                self._models.pop(_key(model), None)
            else:
                self._models[_key(model)] = model


def _key(model: Raw) -> tuple[str, str]:
    meta = part(model, "metadata")
    return text(meta, "namespace"), text(meta, "name")
