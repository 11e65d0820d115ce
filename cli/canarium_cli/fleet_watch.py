"""All models of a namespace or of the cluster as they change, by one watch.

Of each model only its line is kept, about a kilobyte, and a change costs the time of one line: ten
thousand models may change as often as they like.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from sys import intern
from types import TracebackType
from typing import Self

from canarium.view.fleet import Row, later, order, row
from canarium.view.objects import Raw
from canarium_cli.following import LISTED, MODEL, Follower
from canarium_cli.kubectl import Kubectl
from canarium_cli.reads import Skew, namespace_of

#: Namespace and name of a model.
Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Seen:
    """The line of a model as it was at `time` (POSIX seconds)."""

    row: Row
    time: float

    @property
    def key(self) -> Key:
        """Namespace and name of the model."""
        return self.row.namespace, self.row.name

    def at(self, now: float) -> Row:
        """Returns the line with the age and the remaining time of the moment `now`."""
        return later(self.row, max(0.0, now - self.time))


class FleetWatch:
    """The models that match a selector, read once and then kept current by a thread.

    The constructor raises CliError, so that faults of the command line precede the first view.
    """

    def __init__(self, kubectl: Kubectl, selector: str | None, everywhere: bool) -> None:
        words = {"labelSelector": selector} if selector else {}
        namespace = "" if everywhere else namespace_of(kubectl)
        self._skew = Skew()
        self._follower = Follower(kubectl, MODEL, namespace, self._seen, **words)
        self._changes: queue.Queue[tuple[str, list[Seen]]] = queue.Queue()
        self._models: dict[Key, Seen] = {}
        self._apply(LISTED, self._follower.objects())
        self._skew.warn()

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

    def model(self, key: Key) -> Seen | None:
        """A model as of the last `update`."""
        return self._models.get(key)

    def ordered(self) -> list[Seen]:
        """The models as of the last `update`, the most urgent first."""
        return sorted(self._models.values(), key=lambda seen: order(seen.row))

    def update(self, seconds: float = 0.0) -> set[Key]:
        """Applies what has changed and returns which models that may concern; waits for it, at most
        for `seconds`."""
        changed: set[Key] = set()
        try:
            changed |= self._apply(*self._changes.get(timeout=max(0.001, seconds)))
            while True:
                changed |= self._apply(*self._changes.get_nowait())
        except queue.Empty:
            return changed

    def _apply(self, change: str, models: Iterable[Seen]) -> set[Key]:
        changed = {model.key for model in models}
        if change == LISTED:
            changed |= self._models.keys()
            self._models.clear()
        for model in models:
            if change == "DELETED":
                self._models.pop(model.key, None)
            else:
                self._models[model.key] = model
        return changed

    def _seen(self, model: Raw) -> Seen:
        self._skew.note(model)
        now = time.time()
        line = row(model, now)
        # Few of these texts are different, and each model arrives with a copy of them.
        line = replace(
            line,
            namespace=intern(line.namespace),
            phase=intern(line.phase),
            attention=intern(line.attention),
            version=intern(line.version),
            waiting_for=intern(line.waiting_for),
        )
        return Seen(line, now)
