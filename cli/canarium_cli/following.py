"""The objects at one path of the API: a list, and then every change after it.

`kubectl get --watch` begins with another list, which contains no trace of what was deleted
since the list before. So both requests are made here, by `kubectl get --raw`: the watch begins at
the resourceVersion of the list, and the API server sends everything that happened after it
(https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar
from urllib.parse import urlencode

from canarium.view.objects import Raw, number, text
from canarium_cli.collector import paused_collector
from canarium_cli.exits import CliError, Exit, Forbidden
from canarium_cli.kubectl import Kubectl
from canarium_cli.streaming import Watch

#: Seconds between two attempts to follow a path again.
RETRY = 2.0
#: What happened, beside the types of the API's own events: a new list, or the end of a connection.
LISTED, OUTAGE = "LISTED", "OUTAGE"
#: What is kept of an object.
Kept = TypeVar("Kept")
#: Gets what happened, with what is kept of the objects.
Report = Callable[[str, list[Kept]], None]
_CHANGES = ("ADDED", "MODIFIED", "DELETED")
#: The API server does not have the changes since the list any more (status 410).
_EXPIRED = 410


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of objects, and its place in the API."""

    name: str
    group: str
    plural: str

    def path(self, namespace: str) -> str:
        """The path of all objects of a namespace; of all namespaces if it is empty."""
        inside = f"/namespaces/{namespace}" if namespace else ""
        return f"{self.group}{inside}/{self.plural}"


MODEL = Kind("ModelDeployment", "/apis/canarium.dev/v1alpha1", "modeldeployments")


def whole(raw: Raw) -> Raw:
    """Keeps all of an object."""
    return raw


class Follower(Generic[Kept]):
    """Follows the objects of a kind that match a selector.

    `namespace` is empty for all of them. `keep` returns what is kept of an object as soon as it
    arrives. `fault` is why the objects may be out of date; empty while they are current.
    """

    def __init__(
        self,
        kubectl: Kubectl,
        kind: Kind,
        namespace: str,
        keep: Callable[[Raw], Kept],
        **selector: str,
    ) -> None:
        self.kind = kind
        self._keep = keep
        self._kubectl, self._path, self._selector = kubectl, kind.path(namespace), selector
        self._version = ""
        self._watch: Watch | None = None
        self._stopped = threading.Event()
        #: Held while a watch is started, so that none starts after the end.
        self._starting = threading.Lock()
        self.fault = ""

    def objects(self) -> list[Kept]:
        """Lists the objects; what `follow` reports begins after this list. Raises CliError."""
        listing = self._kubectl.listed(self._url())
        with paused_collector():
            # Lists of built-in kinds do not repeat the kind.
            kept = [self._keep({"kind": self.kind.name, **one}) for one in listing]
        self._version = listing.version
        return kept

    def follow(self, report: Report[Kept]) -> None:
        """Reports what happens, in a separate thread, until `stop`."""
        threading.Thread(target=self._run, args=(report,), daemon=True).start()

    def stop(self) -> None:
        """Ends the watch and its process."""
        with self._starting:
            self._stopped.set()
        if self._watch:
            self._watch.stop()

    def _run(self, report: Report[Kept]) -> None:
        while not self._stopped.is_set():
            try:
                if not self._version:
                    listed = self.objects()
                    self.fault = ""
                    report(LISTED, listed)
                self._follow(report)
            except CliError as error:
                self._version = ""
                self.fault = error.message
                report(OUTAGE, [])
            except Exception as error:
                # Without this, the view would stay as it is and look current.
                self._version = ""
                self.fault = f"{type(error).__name__}: {error}. This is a bug: please report it."
                report(OUTAGE, [])
            self._stopped.wait(RETRY)

    def _follow(self, report: Report[Kept]) -> None:
        """Reports the changes after the last list or change until the watch ends.

        Raises CliError for an end that is a fault.
        """
        with self._starting:
            if self._stopped.is_set():
                return
            address = self._url(watch="true", resourceVersion=self._version)
            self._watch = watch = self._kubectl.stream(address)
        # The next attempt begins with a list, which also notices a watch that a proxy has cut.
        self._version = ""
        for change, raw in watch:
            if change in _CHANGES:
                self.fault = ""
                report(change, [self._keep(raw)])
            elif change == "ERROR" and number(raw, "code") != _EXPIRED:
                raise CliError(text(raw, "message") or "The watch ended.", Exit.UNREACHABLE)
        fault = watch.fault()
        # Without the right to watch, the next list is as good, only later.
        if fault and not isinstance(fault, Forbidden) and not self._stopped.is_set():
            raise fault

    def _url(self, **more: str) -> str:
        words = urlencode({**self._selector, **more})
        return f"{self._path}?{words}" if words else self._path
