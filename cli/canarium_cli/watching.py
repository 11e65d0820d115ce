"""One model as it changes: its kinds are followed side by side, as one stream of objects."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self

from canarium.view.objects import MODEL_LABEL, Objects, Raw, part, text
from canarium_cli.exits import Forbidden, not_found
from canarium_cli.following import LISTED, MODEL, OUTAGE, Follower, Kind, Report, whole
from canarium_cli.kubectl import Kubectl
from canarium_cli.reads import model, not_shown

POD = Kind("Pod", "/api/v1", "pods")
#: What is shown below a model.
CHILDREN = (
    Kind("Deployment", "/apis/apps/v1", "deployments"),
    POD,
    Kind("HorizontalPodAutoscaler", "/apis/autoscaling/v2", "horizontalpodautoscalers"),
    Kind("ControllerRevision", "/apis/apps/v1", "controllerrevisions"),
    Kind("Service", "/api/v1", "services"),
)
#: What happened to objects of a kind.
Change = tuple[Kind, str, list[Raw]]
Key = tuple[str, str]


class ModelWatch:
    """The objects of one model, read once and then kept current.

    Iterating yields them after every change, and at least every `tick` seconds, for countdowns.
    `kinds` are those of its children. Kinds that the user may not list are left out, and a line on
    stderr names them; a single kind has to be readable.
    """

    def __init__(
        self,
        kubectl: Kubectl,
        name: str,
        *,
        kinds: tuple[Kind, ...] = CHILDREN,
        tick: float = 1.0,
    ) -> None:
        self._kubectl, self._name, self._tick, self._kinds = kubectl, name, tick, kinds
        self._changes: queue.Queue[Change] = queue.Queue()
        self._followers: list[Follower[Raw]] = []
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
        for follower in self._followers:
            follower.stop()

    @property
    def outage(self) -> str:
        """Why some objects may be out of date; empty while all of them are current."""
        return next((one.fault for one in self._followers if one.fault), "")

    def __iter__(self) -> Iterator[Objects]:
        """Raises CliError when the model cannot be read at first, or was deleted."""
        current = model(self._kubectl, self._name)
        namespace = text(part(current, "metadata"), "namespace")
        children = self._read(namespace)
        name = {"fieldSelector": f"metadata.name={self._name}"}
        self._followers.append(Follower(self._kubectl, MODEL, namespace, whole, **name))
        for follower in self._followers:
            follower.follow(self._reporter(follower.kind))
        last = current, children, ""
        yield Objects.of(current, children.values())
        while True:
            changes = self._next()
            children = dict(children)
            for kind, change, objects in changes:
                if change == OUTAGE:
                    continue
                if kind is MODEL:
                    if change == "DELETED" or not objects:
                        raise not_found(f"The ModelDeployment {self._name} was deleted.")
                    current = _as_kubectl_prints(objects[0])
                    continue
                if change == LISTED:
                    children = {k: x for k, x in children.items() if k[0] != kind.name}
                for raw in objects:
                    if change == "DELETED":
                        children.pop(_key(raw), None)
                    else:
                        children[_key(raw)] = raw
            # A new list may be the same as the one before.
            before, last = last, (current, children, self.outage)
            self.ticked = before == last
            yield Objects.of(current, children.values())

    def _read(self, namespace: str) -> dict[Key, Raw]:
        """Lists the children, side by side, and remembers what to follow. Raises CliError."""
        label = {"labelSelector": f"{MODEL_LABEL}={self._name}"}
        followers = [
            Follower(self._kubectl, kind, namespace, whole, **label) for kind in self._kinds
        ]
        children: dict[Key, Raw] = {}
        forbidden: dict[str, Forbidden] = {}
        with ThreadPoolExecutor() as pool:
            reads = [(one, pool.submit(one.objects)) for one in followers]
        for follower, read in reads:
            try:
                children |= {_key(raw): raw for raw in read.result()}
                self._followers.append(follower)
            except Forbidden as error:
                forbidden[follower.kind.plural] = error
        if forbidden and len(self._kinds) == 1:
            raise next(iter(forbidden.values()))
        not_shown([*forbidden])
        return children

    def _next(self) -> list[Change]:
        """Every change since the last call; waits up to a tick for the first."""
        try:
            changes = [self._changes.get(timeout=self._tick)]
        except queue.Empty:
            return []
        while not self._changes.empty():
            changes.append(self._changes.get())
        return changes

    def _reporter(self, kind: Kind) -> Report[Raw]:
        return lambda change, objects: self._changes.put((kind, change, objects))


def _as_kubectl_prints(raw: Raw) -> Raw:
    """An object without what `kubectl get -o json` omits."""
    metadata = {k: v for k, v in part(raw, "metadata").items() if k != "managedFields"}
    return {**raw, "metadata": metadata}


def _key(raw: Raw) -> Key:
    return str(raw.get("kind")), text(part(raw, "metadata"), "uid")
