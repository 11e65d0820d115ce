"""Models in every phase, and what must not change about them when the operator does."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from sandbox import Sandbox
from upgrade.writes import Audited

NAMESPACE = "fleet"
_MODELS = f"/apis/canarium.dev/v1alpha1/namespaces/{NAMESPACE}/modeldeployments"
_CHILDREN = "deployments,services,controllerrevisions,horizontalpodautoscalers"
#: Model → its versions, each applied after the last has settled, and its phase after all of them.
PHASES = {
    "stable": "Ready",
    "midstep": "Progressing",
    "paused": "Progressing",
    "baking": "Baking",
    "quarantined": "RolledBack",
}
#: A leader that has written nothing for so many seconds has reconciled every model.
_QUIET = 4.0
_LONG = [{"weight": 50, "pause": "30m"}]
_NONE = {"bakeTime": "1s"}


class Fleet:
    """The models of one namespace."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        sandbox.kubectl("create", "namespace", NAMESPACE)
        self.writes = Audited(sandbox, NAMESPACE)

    def kubectl(self, *words: str, stdin: str | None = None) -> str:
        return self._sandbox.kubectl("-n", NAMESPACE, *words, stdin=stdin)

    def start(self) -> None:
        """Brings every model into its phase."""
        for name in PHASES:
            self.apply(name, "v1", rollout=_NONE)
        for name in PHASES:
            self.until(name, lambda s: s.get("phase") == "Ready", "first version")
        self.apply("midstep", "v2", rollout={"steps": _LONG, "bakeTime": "2s"})
        self.apply("paused", "v2", rollout={"steps": _LONG, "bakeTime": "2s"})
        self.apply("baking", "v2", rollout={"bakeTime": "30m"})
        self.apply("quarantined", "v3", rollout=_NONE)
        for name in ("midstep", "paused"):
            self.until(name, lambda s: s.get("weight") == 50, "weight 50")
        self.patch("paused", {"paused": True})
        for name, phase in PHASES.items():
            self.until(name, lambda s, phase=phase: s.get("phase") == phase, phase)  # type: ignore[misc]

    def end(self) -> None:
        """Deletes the namespace."""
        self._sandbox.kubectl(
            "delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=false"
        )

    def apply(self, name: str, tag: str, **spec: Any) -> None:
        # On a machine that is busy with other tests an answer may take longer than the second that
        # the release before gives it: three in a row, and these ten seconds long, are a fault.
        readiness = {"path": "/ready", "periodSeconds": 3}
        body = {
            "apiVersion": "canarium.dev/v1alpha1",
            "kind": "ModelDeployment",
            "metadata": {"name": name},
            "spec": {
                "model": {"version": tag},
                "runtime": {"image": f"canarium.dev/story:{tag}", "readiness": readiness},
                "scaling": {"replicas": 1},
                **spec,
            },
        }
        self.kubectl("apply", "-f", "-", stdin=json.dumps(body))

    def patch(self, name: str, spec: Mapping[str, Any]) -> None:
        self.kubectl(
            "patch", "modeldeployment", name, "--type=merge", "-p", json.dumps({"spec": spec})
        )

    def until(
        self, name: str, holds: Callable[[dict[str, Any]], bool], what: str, seconds: float = 90
    ) -> dict[str, Any]:
        """The status, once it is of the present spec and `holds`."""
        end = time.monotonic() + seconds
        status: dict[str, Any] = {}
        while time.monotonic() < end:
            model = self._sandbox.get(f"{_MODELS}/{name}")
            status = model.get("status", {})
            fresh = status.get("observedGeneration") == model["metadata"]["generation"]
            if fresh and holds(status):
                return status
            time.sleep(0.1)
        pods = self.kubectl("get", "pods", "-o", "wide")
        text = json.dumps(status, indent=1)
        raise AssertionError(f"{name}: no {what} in {seconds} s: {text}\n{pods}")

    def children(self) -> dict[str, Any]:
        """Kind and name of every child → all of it that is not status, its writers included.

        Its resourceVersion only where there is no status: Kubernetes' own controllers write that
        whenever a pod's readiness changes.
        """
        listed = json.loads(self.kubectl("get", _CHILDREN, "-o", "json", "--show-managed-fields"))
        return {f"{i['kind']} {i['metadata']['name']}": _lasting(i) for i in listed["items"]}

    def quiet(self, seconds: float = 60) -> None:
        """Waits until the operator writes no more: nothing else shows from outside that a new
        leader has reconciled every model."""
        end = time.monotonic() + seconds
        place, since = self.writes.moment(), time.monotonic()
        while time.monotonic() - since < _QUIET:
            time.sleep(0.5)
            written = self.writes.since(place)
            assert time.monotonic() < end, f"still writing: {written}"
            if written:
                place, since = self.writes.moment(), time.monotonic()

    def pods(self) -> dict[str, tuple[str, int]]:
        """Name of every pod → its uid and the restarts of its containers."""
        items = json.loads(self.kubectl("get", "pods", "-o", "json"))["items"]
        return {
            item["metadata"]["name"]: (
                item["metadata"]["uid"],
                sum(c["restartCount"] for c in item["status"].get("containerStatuses", ())),
            )
            for item in items
        }

    def summaries(self) -> dict[str, tuple[Any, ...]]:
        """Of every model: generation, phase, and which revisions it has at which weight."""
        items = json.loads(self.kubectl("get", "modeldeployment", "-o", "json"))["items"]

        def revision(part: dict[str, Any] | None) -> str | None:
            return part["revision"] if part else None

        return {
            item["metadata"]["name"]: (
                item["metadata"]["generation"],
                item["status"]["phase"],
                item["status"].get("weight"),
                *(revision(item["status"].get(k)) for k in ("stable", "candidate", "previous")),
            )
            for item in items
        }

    def until_gone(self, seconds: float = 60) -> None:
        """Waits until no pod of any model is left."""
        end = time.monotonic() + seconds
        while self.pods():
            assert time.monotonic() < end, self.pods()
            time.sleep(0.2)

    def settle(self, seconds: float = 90) -> None:
        """Waits until Kubernetes' own controllers have stopped to write, and pods to end."""
        end = time.monotonic() + seconds
        before = (self.children(), self.pods())
        while time.monotonic() < end:
            time.sleep(2)
            ending = self.kubectl(
                "get", "pods", "-o", "jsonpath={.items[*].metadata.deletionTimestamp}"
            )
            now = (self.children(), self.pods())
            if now == before and not ending:
                return
            before = now
        raise AssertionError(f"children or pods still change: {before}")


def _lasting(item: dict[str, Any]) -> dict[str, Any]:
    meta = item["metadata"]
    kept = {key: value for key, value in item.items() if key not in ("metadata", "status")}
    keys = ["uid", "generation", "labels", "annotations", "ownerReferences"]
    if "status" not in item or item["kind"] == "Service":
        keys.append("resourceVersion")
    writers = [m for m in meta["managedFields"] if m.get("subresource") != "status"]
    return {**kept, "metadata": {key: meta.get(key) for key in keys}, "writers": writers}
