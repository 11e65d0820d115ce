"""Several models in one namespace, side by side: every status that each had, in order."""

from __future__ import annotations

import json
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sandbox import Forward, Sandbox, clients
from support.client import Client

METRICS = {
    "requests": {"names": ["requests_total"]},
    "errors": {"names": ["requests_total"], "labels": {"code": "5.."}},
    "latency": {"name": "took_seconds"},
}


@dataclass(frozen=True, slots=True)
class Seen:
    """A status as it was seen first, at `at` (monotonic seconds)."""

    at: float
    generation: int
    status: dict[str, Any]


def spec(tag: str, *, replicas: int = 1, **more: Any) -> dict[str, Any]:
    """Version `tag` of the story's server, with the names of its metrics."""
    return {
        "model": {"version": tag},
        "runtime": {
            "image": f"canarium.dev/story:{tag}",
            # On a machine that is busy with other tests an answer may take longer than a second.
            "readiness": {"path": "/ready", "periodSeconds": 1, "timeoutSeconds": 5},
            "predictPath": "/predict",
            "metrics": METRICS,
        },
        "scaling": {"replicas": replicas},
        **more,
    }


def answers(url: str, headers: Mapping[str, str] | None = None) -> bool:
    """Whether `url` answers with 200 now."""
    try:
        with urllib.request.urlopen(
            urllib.request.Request(url, headers=dict(headers or {})), timeout=1
        ) as answer:
            return bool(answer.status == 200)
    except urllib.error.HTTPError as refused:
        refused.close()
        return False
    except OSError:
        return False


class Models:
    """The models of one namespace; `end` removes them."""

    def __init__(self, sandbox: Sandbox, namespace: str) -> None:
        self.sandbox, self.namespace = sandbox, namespace
        self._ways: list[Forward] = []
        self._clients: list[Client] = []
        self._seen: dict[str, list[Seen]] = {}
        self._begun: dict[str, int] = {}
        self._news = threading.Condition()
        sandbox.kubectl("create", "namespace", namespace)
        command = [str(clients.find("kubectl")), "--kubeconfig", str(sandbox.kubeconfig)]
        self._watch = subprocess.Popen(
            [
                *command,
                "get",
                "--raw",
                f"/apis/canarium.dev/v1alpha1/namespaces/{namespace}/modeldeployments?watch=1",
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def end(self) -> None:
        for client in self._clients:
            client.stop()
        for way in self._ways:
            way.close()
        self._watch.terminate()
        self._watch.wait(10)
        self._reader.join(10)
        if self._watch.stdout:
            self._watch.stdout.close()
        self.sandbox.kubectl("delete", "namespace", self.namespace, "--wait=false")

    def kubectl(self, *words: str, stdin: str | None = None) -> str:
        return self.sandbox.kubectl("-n", self.namespace, *words, stdin=stdin)

    def apply(self, specs: dict[str, dict[str, Any]]) -> None:
        """Applies a spec for each name; `until` then reads every status since."""
        kind = {"apiVersion": "canarium.dev/v1alpha1", "kind": "ModelDeployment"}
        items = [{**kind, "metadata": {"name": n}, "spec": body} for n, body in specs.items()]
        with self._news:
            for name in specs:
                self._begun[name] = len(self._seen.get(name, ()))
        self.kubectl(
            "apply", "-f", "-",
            stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}),
        )  # fmt: skip

    def secrets(self, contents: Mapping[str, Mapping[str, str]]) -> None:
        """Applies a Secret for each name."""
        kind = {"apiVersion": "v1", "kind": "Secret"}
        items = [
            {**kind, "metadata": {"name": name}, "stringData": dict(content)}
            for name, content in contents.items()
        ]
        self.kubectl(
            "apply", "-f", "-",
            stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}),
        )  # fmt: skip

    def until(
        self, name: str, holds: Callable[[dict[str, Any]], bool], what: str, seconds: float = 60
    ) -> Seen:
        """The first status since the last `apply`, and of its spec, that `holds`."""
        end = time.monotonic() + seconds
        checked = self._begun[name]
        with self._news:
            while True:
                seen = self._seen.get(name, [])
                for one in seen[checked:]:
                    fresh = one.status.get("observedGeneration") == one.generation
                    if fresh and holds(one.status):
                        return one
                checked = max(checked, len(seen))
                left = end - time.monotonic()
                if left <= 0:
                    break
                self._news.wait(left)
        last = json.dumps(seen[-1].status, indent=1) if seen else "no status"
        pods = self.kubectl("get", "pods", "-l", f"canarium.dev/model={name}", "-o", "wide")
        raise AssertionError(f"{name}: no {what} in {seconds} s: {last}\n{pods}")

    def phase(self, name: str, phase: str, version: str | None = None, seconds: float = 60) -> Seen:
        return self.until(
            name,
            lambda s: s["phase"] == phase and version in (None, s.get("version")),
            f"{phase} {version or ''}",
            seconds,
        )

    def weight(self, name: str, weight: int, seconds: float = 60) -> Seen:
        return self.until(name, lambda s: s.get("weight") == weight, f"weight {weight}", seconds)

    def effective(self, name: str, weight: int, seconds: float = 60) -> Seen:
        """Once the candidate's `weight` is in effect."""

        def holds(status: dict[str, Any]) -> bool:
            candidate = status.get("candidate") or {}
            return (status.get("weight"), candidate.get("effectiveWeight")) == (weight, weight)

        return self.until(name, holds, f"effective weight {weight}", seconds)

    def order(self, name: str, command: str, revision: str, token: str) -> None:
        """Gives a command by annotation."""
        note = f"canarium.dev/{command}={revision}/{token}"
        self.kubectl("annotate", "modeldeployment", name, note, "--overwrite")

    def eventually(self, current: Callable[[], Any], wanted: Any, seconds: float = 10) -> None:
        """Returns when `current()` is what is wanted."""
        end = time.monotonic() + seconds
        while (got := current()) != wanted:
            if time.monotonic() > end:
                raise AssertionError(f"{got}, not {wanted}, after {seconds} s")
            time.sleep(0.1)

    def now(self, name: str) -> dict[str, Any]:
        """The newest status."""
        with self._news:
            return self._seen[name][-1].status

    def history(self, name: str) -> list[Seen]:
        """All that was seen since the last `apply`."""
        with self._news:
            return self._seen[name][self._begun[name] :]

    def call(self, name: str, *, clients: int = 1, rate: float = 40.0) -> list[Client]:
        """Callers of the Service `name`, who ask until the end."""
        url = self.way(name)
        callers = [Client(url, rate=rate) for _ in range(clients)]
        self._clients += callers
        return callers

    def way(self, name: str) -> str:
        """A URL that leads to the Service `name`, once it answers."""
        address = self.kubectl("get", "service", name, "-o", "jsonpath={.spec.clusterIP}")
        url = self.forward(f"{address}:80")
        # kube-proxy learns of the first endpoints up to a second after the API server does.
        self.eventually(lambda: answers(url), True, 15)
        return url

    def forward(self, target: str) -> str:
        """A URL that leads to an address inside until the end."""
        way = self.sandbox.forward(target)
        self._ways.append(way)
        return way.url

    def events(self, name: str) -> list[tuple[str, str]]:
        """Reason and message of every Event about a model."""
        chosen = f"involvedObject.name={name}"
        line = r'jsonpath={range .items[*]}{.reason}{"\t"}{.message}{"\n"}{end}'
        table = self.kubectl("get", "events", "--field-selector", chosen, "-o", line)
        return [(row.partition("\t")[0], row.partition("\t")[2]) for row in table.splitlines()]

    def _read(self) -> None:
        assert self._watch.stdout is not None
        for line in self._watch.stdout:
            model = json.loads(line)["object"]
            name, generation = model["metadata"]["name"], model["metadata"]["generation"]
            seen = Seen(time.monotonic(), generation, model.get("status") or {})
            with self._news:
                self._seen.setdefault(name, []).append(seen)
                self._news.notify_all()
