"""One model in a separate namespace: applies versions, reads the status, watches the pods."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

from sandbox import Forward, Sandbox
from support.client import Client

STEPS = [{"weight": 25, "pause": "4s"}, {"weight": 50, "pause": "4s"}]


class World:
    """Actions and queries of a test."""

    def __init__(self, sandbox: Sandbox, namespace: str) -> None:
        self.sandbox, self.namespace = sandbox, namespace
        self.client: Client | None = None
        self._ways: list[Forward] = []
        sandbox.kubectl("create", "namespace", namespace)

    def end(self) -> None:
        if self.client:
            self.client.stop()
        for way in self._ways:
            way.close()
        self.sandbox.kubectl("delete", "namespace", self.namespace, "--wait=false")

    def kubectl(self, *words: str, stdin: str | None = None) -> str:
        return self.sandbox.kubectl("-n", self.namespace, *words, stdin=stdin)

    def apply(self, tag: str, **spec: Any) -> None:
        """Applies version `tag`: three replicas, steps 25 and 50 of four seconds."""
        # On a machine that is busy with other tests an answer may take longer than a second.
        readiness = {"path": "/ready", "periodSeconds": 1, "timeoutSeconds": 5}
        body = {
            "apiVersion": "canarium.dev/v1alpha1",
            "kind": "ModelDeployment",
            "metadata": {"name": "story"},
            "spec": {
                "model": {"version": tag},
                "runtime": {"image": f"canarium.dev/story:{tag}", "readiness": readiness},
                "scaling": {"replicas": 3},
                "rollout": {"steps": STEPS, "bakeTime": "3s"},
                **spec,
            },
        }
        self.kubectl("apply", "-f", "-", stdin=json.dumps(body))

    def ask_all_the_time(self, seconds: float = 15) -> Client:
        """Starts a client once there is a first answer, for which it waits so long."""
        address = self.kubectl("get", "service", "story", "-o", "jsonpath={.spec.clusterIP}")
        url = self._way(f"{address}:80")
        # kube-proxy learns of the first endpoints up to a second after the API server does.
        self._first_answer(url, seconds)
        self.client = Client(url)
        return self.client

    def _first_answer(self, url: str, seconds: float) -> None:
        end = time.monotonic() + seconds
        while True:
            try:
                # Where kube-proxy uses iptables, a connection that began before the rules of its
                # Service were there is lost: another one is needed.
                with urllib.request.urlopen(url, timeout=1):
                    return
            except OSError as error:
                if isinstance(error, urllib.error.HTTPError):
                    error.close()
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)

    def _way(self, target: str) -> str:
        """The URL of a way into the sandbox, open until the end."""
        way = self.sandbox.forward(target)
        self._ways.append(way)
        return way.url

    def model(self) -> dict[str, Any]:
        group = "/apis/canarium.dev/v1alpha1"
        path = f"{group}/namespaces/{self.namespace}/modeldeployments/story"
        model: dict[str, Any] = self.sandbox.get(path)
        return model

    def until(
        self, holds: Callable[[dict[str, Any]], bool], what: str, seconds: float = 60
    ) -> dict[str, Any]:
        """The status, once it is of the present spec and `holds`."""
        end = time.monotonic() + seconds
        status: dict[str, Any] = {}
        while time.monotonic() < end:
            model = self.model()
            status = model.get("status", {})
            fresh = status.get("observedGeneration") == model["metadata"]["generation"]
            if fresh and holds(status):
                return status
            time.sleep(0.1)
        pods = self.kubectl("get", "pods", "-o", "wide")
        text = json.dumps(status, indent=1)
        raise AssertionError(f"no {what} in {seconds} s: {text}\n{pods}\n{self._operator()}")

    def _operator(self) -> str:
        """How the operator is: most things that are not seen are its doing."""
        ask = ("-n", "canarium")
        pods = self.sandbox.kubectl(*ask, "get", "pods", "-o", "wide")
        events = self.sandbox.kubectl(*ask, "get", "events", "--sort-by=.lastTimestamp")
        return "\n".join((pods, *events.splitlines()[-10:]))

    def phase(self, phase: str, version: str | None = None, seconds: float = 60) -> dict[str, Any]:
        return self.until(
            lambda s: s["phase"] == phase and version in (None, s.get("version")),
            f"{phase} {version or ''}",
            seconds,
        )

    def pods(self, revision: str) -> list[dict[str, Any]]:
        text = self.kubectl("get", "pods", "-l", f"canarium.dev/revision={revision}", "-o", "json")
        items: list[dict[str, Any]] = json.loads(text)["items"]
        return items

    def crash(self, revision: str) -> float:
        """One pod's server ends now; the moment by `time.monotonic`."""
        return self._tell(self.pods(revision)[:1], "crash")

    def unready(self, revision: str, seconds: float) -> float:
        """Makes every server of a revision report itself unready for a time; all still answer."""
        return self._tell(self.pods(revision), f"unready/{seconds:g}")

    def _tell(self, pods: list[dict[str, Any]], word: str) -> float:
        moment = time.monotonic()
        for pod in pods:
            url = self._way(f"{pod['status']['podIP']}:8080")
            urllib.request.urlopen(f"{url}/{word}", data=b"", timeout=5).close()
        return moment

    def order(self, command: str, revision: str, token: str) -> None:
        """Gives a command by annotation."""
        note = f"canarium.dev/{command}={revision}/{token}"
        self.kubectl("annotate", "modeldeployment", "story", note, "--overwrite")


def restarts(pods: list[dict[str, Any]]) -> int:
    """Container restarts of all `pods`."""
    return sum(c["restartCount"] for p in pods for c in p["status"].get("containerStatuses", ()))
