"""One model as it changes: a watch per kind, merged into a stream of objects."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from canarium.view.objects import MODEL_LABEL, Objects, Raw
from canarium_cli.exits import OldKubectl, not_found
from canarium_cli.kubectl import Kubectl, Watch
from canarium_cli.reads import MODELS, model, objects

#: Seconds between two attempts to watch a kind again.
_RETRY = 2.0
#: kubectl can watch one kind per process.
_KINDS = ("deployments.apps", "pods")
Key = tuple[str, str]


class ModelWatch:
    """The objects of one model, read once and then kept current.

    Iterating yields them after every change, and at least every `tick` seconds, for countdowns.
    A watch that ends starts again after a read; meanwhile `outage` is why it ended.
    """

    def __init__(self, kubectl: Kubectl, name: str, *, children: bool = True, tick: float = 1.0):
        self._kubectl, self._name, self._tick = kubectl, name, tick
        self._children = children
        self._changes: queue.Queue[tuple[str, Raw | None]] = queue.Queue()
        self._watches: dict[str, Watch] = {}
        self._stopped = threading.Event()
        #: Held while a watch is started, so that none starts after the end.
        self._starting = threading.Lock()
        self.outage = ""
        self._old_kubectl: OldKubectl | None = None
        #: Whether the last objects are those before, and only time has passed.
        self.ticked = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._starting:
            self._stopped.set()
        for watch in self._watches.values():
            watch.stop()

    def __iter__(self) -> Iterator[Objects]:
        """Raises CliError when the model cannot be read at first, was deleted, or cannot be watched
        with this kubectl."""
        snapshot = (
            objects(self._kubectl, self._name)
            if self._children
            else Objects.of(model(self._kubectl, self._name), ())
        )
        for kind in (MODELS, *(_KINDS if self._children else ())):
            threading.Thread(target=self._follow, args=(kind,), daemon=True).start()
        yield snapshot
        current = snapshot.model
        children = {_key(x): x for x in (*snapshot.deployments, *snapshot.pods)}
        rest = (*snapshot.autoscalers, *snapshot.records, *snapshot.services)
        while True:
            changes = self._next()
            if self._old_kubectl:
                raise self._old_kubectl
            self.ticked = not changes
            for change, raw in changes:
                if raw is None:
                    continue
                if raw.get("kind") == "ModelDeployment":
                    if change == "DELETED":
                        raise not_found(f"The ModelDeployment {self._name} was deleted.")
                    current = raw
                elif change == "DELETED":
                    children.pop(_key(raw), None)
                else:
                    children[_key(raw)] = raw
            yield Objects.of(current, (*children.values(), *rest))

    def _next(self) -> list[tuple[str, Raw | None]]:
        """Every change since the last call; waits up to a tick for the first."""
        try:
            changes = [self._changes.get(timeout=self._tick)]
        except queue.Empty:
            return []
        while not self._changes.empty():
            changes.append(self._changes.get())
        return changes

    def _follow(self, kind: str) -> None:
        """Watches a kind until the end, each time from the start: a watch begins with a list."""
        words = (
            [f"--field-selector=metadata.name={self._name}"]
            if kind == MODELS
            else [f"--selector={MODEL_LABEL}={self._name}"]
        )
        while True:
            with self._starting:
                if self._stopped.is_set():
                    return
                watch = self._watches[kind] = self._kubectl.watch(kind, *words)
            for change, raw in watch:
                self.outage = ""
                self._changes.put((change, raw))
            fault = watch.fault()
            if isinstance(fault, OldKubectl):
                self._old_kubectl = fault
            if fault and not self._stopped.is_set():
                self.outage = fault.message
                self._changes.put(("OUTAGE", None))
            self._stopped.wait(_RETRY)


def _key(raw: Raw) -> Key:
    return str(raw.get("kind")), str((raw.get("metadata") or {}).get("uid"))
