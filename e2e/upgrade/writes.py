"""What the operator wrote in a namespace: by the audit log where there is one, else by a watch."""

from __future__ import annotations

import json
import subprocess
import threading
from typing import Any, Protocol

from sandbox import Sandbox, clients

_GROUP = "/apis/canarium.dev/v1alpha1"


class Writes(Protocol):
    """The writes so far, as verb, resource and name."""

    def moment(self) -> int:
        """A place in the list, for `since`."""
        ...

    def since(self, moment: int) -> list[str]:
        """The writes after a moment."""
        ...

    def end(self) -> None: ...


def of(sandbox: Sandbox, namespace: str) -> Writes:
    """The writes in a namespace: those that a watch shows where the API server has no audit log."""
    if sandbox.audit_log.exists():
        return Audited(sandbox, namespace)
    return Watched(sandbox, namespace)


class Audited:
    """All writes of the operator, also those that change nothing."""

    def __init__(self, sandbox: Sandbox, namespace: str) -> None:
        self._log, self._namespace = sandbox.audit_log, namespace

    def moment(self) -> int:
        return len(self._lines())

    def since(self, moment: int) -> list[str]:
        events = [json.loads(line) for line in self._lines()[moment:]]
        return [
            "/".join(
                filter(
                    None,
                    (e["verb"], ref["resource"], ref.get("subresource"), ref.get("name", "(new)")),
                )
            )
            for e in events
            if e["stage"] == "ResponseComplete"
            and e["user"]["username"].startswith("system:serviceaccount:canarium:")
            and e["verb"] in ("create", "update", "patch", "delete", "deletecollection")
            and (ref := e.get("objectRef", {})).get("namespace") == self._namespace
        ]

    def end(self) -> None: ...

    def _lines(self) -> list[str]:
        lines = self._log.read_text().splitlines(keepends=True)
        return [line for line in lines if line.endswith("\n")]


class Watched:
    """Writes of statuses, as a watch of the models shows them; writes of children are found by
    comparing these. A write that changes nothing is in neither."""

    def __init__(self, sandbox: Sandbox, namespace: str) -> None:
        self._path = f"{_GROUP}/namespaces/{namespace}/modeldeployments"
        self._sandbox = sandbox
        self._seen: list[str] = []
        self._generations: dict[str, int] = {}
        self._version = str(sandbox.get(self._path)["metadata"]["resourceVersion"])
        self._stopped = threading.Event()
        self._child = self._watch()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def moment(self) -> int:
        return len(self._seen)

    def since(self, moment: int) -> list[str]:
        assert self._reader.is_alive(), "the watch of the models has ended"
        return self._seen[moment:]

    def end(self) -> None:
        self._stopped.set()
        self._child.terminate()
        self._reader.join(10)

    def _watch(self) -> subprocess.Popen[str]:
        path = f"{self._path}?watch=1&resourceVersion={self._version}"
        kubeconfig = str(self._sandbox.kubeconfig)
        command = [str(clients.find("kubectl")), "--kubeconfig", kubeconfig, "get", "--raw", path]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def _read(self) -> None:
        # The API server ends a watch when the CRD changes: the next one continues from there.
        while True:
            with self._child as child:
                assert child.stdout is not None
                for line in child.stdout:
                    event = json.loads(line)
                    if event["type"] == "ERROR":
                        return
                    self._note(event["type"], event["object"])
            if self._stopped.wait(0.2):
                return
            self._child = self._watch()

    def _note(self, kind: str, model: dict[str, Any]) -> None:
        meta = model["metadata"]
        self._version = meta["resourceVersion"]
        earlier = self._generations.get(meta["name"])
        self._generations[meta["name"]] = meta["generation"]
        if kind == "MODIFIED" and earlier == meta["generation"]:
            self._seen.append(f"update/modeldeployments/status/{meta['name']}")
