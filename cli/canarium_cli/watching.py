"""One model as it changes: a watch per kind, merged into a stream of objects."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from canarium.view.objects import MODEL_LABEL, Objects, Raw
from canarium_cli.exits import CliError, OldKubectl, not_found
from canarium_cli.kubectl import Kubectl, Watch
from canarium_cli.reads import MODELS, model, objects

#: Seconds between two attempts to watch a kind again.
_RETRY = 2.0
#: kubectl can watch one kind per process. Each with the kind of its objects.
_KINDS = {MODELS: "ModelDeployment", "deployments.apps": "Deployment", "pods": "Pod"}
#: What happened to objects of one of these: an event of the watch, an outage, or a new list.
Change = tuple[str, str, list[Raw]]
_OUTAGE, _LISTED = "OUTAGE", "LISTED"
Key = tuple[str, str]


class ModelWatch:
    """The objects of one model, read once and then kept current.

    Iterating yields them after every change, and at least every `tick` seconds, for countdowns.
    A watch that ends starts again after a read; meanwhile `outage` is why it ended.
    """

    def __init__(self, kubectl: Kubectl, name: str, *, children: bool = True, tick: float = 1.0):
        self._kubectl, self._name, self._tick = kubectl, name, tick
        self._children = children
        self._changes: queue.Queue[Change] = queue.Queue()
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
        for kind in _KINDS if self._children else (MODELS,):
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
            for change, kind, listed in changes:
                if change == _OUTAGE:
                    continue
                if kind == MODELS:
                    if change == "DELETED" or not listed:
                        raise not_found(f"The ModelDeployment {self._name} was deleted.")
                    current = listed[0]
                    continue
                if change == _LISTED:
                    children = {k: x for k, x in children.items() if k[0] != _KINDS[kind]}
                for raw in listed:
                    if change == "DELETED":
                        children.pop(_key(raw), None)
                    else:
                        children[_key(raw)] = raw
            yield Objects.of(current, (*children.values(), *rest))

    def _next(self) -> list[Change]:
        """Every change since the last call; waits up to a tick for the first."""
        try:
            changes = [self._changes.get(timeout=self._tick)]
        except queue.Empty:
            return []
        while not self._changes.empty():
            changes.append(self._changes.get())
        return changes

    def _follow(self, kind: str) -> None:
        """Watches a kind until the end. A watch begins with what exists, so what was deleted since
        the one before is known from a list only."""
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
                self._changes.put((change, kind, [raw]))
            fault = watch.fault()
            if isinstance(fault, OldKubectl):
                self._old_kubectl = fault
            if fault and not self._stopped.is_set():
                self._lost(kind, fault)
            if self._stopped.wait(_RETRY):
                return
            try:
                self._changes.put((_LISTED, kind, list(self._kubectl.get(kind, *words))))
            except CliError as error:
                self._lost(kind, fault or error)

    def _lost(self, kind: str, fault: CliError) -> None:
        self.outage = fault.message
        self._changes.put((_OUTAGE, kind, []))


def _key(raw: Raw) -> Key:
    return str(raw.get("kind")), str((raw.get("metadata") or {}).get("uid"))
