"""Models behind the sandbox's Gateway: their specs, callers that use it, and when the route
was changed."""

from __future__ import annotations

import json
import urllib.request
from datetime import datetime
from typing import Any

from sandbox.gateway import EnvoyGateway, Gateway
from support.burst import Burst, Caller, burst
from support.models import Models, answers, spec


def routed(
    name: str,
    tag: str,
    *,
    parent: dict[str, str] | None = None,
    mirror: bool = False,
    **more: Any,
) -> Any:
    """Version `tag` behind the Gateway, at a separate host."""
    copies: dict[str, Any] = {"mirror": {}} if mirror else {}
    gateway = {"parentRefs": [parent or Gateway.parent()], "hostnames": [host(name)], **copies}
    rollout = {"bakeTime": "2s", "scaleDownDelay": "1s", **more.pop("rollout", {})}
    traffic = {"router": "Gateway", "gateway": gateway}
    return spec(tag, traffic=traffic, rollout=rollout, **more)


def host(name: str) -> str:
    return f"{name}.example.org"


class Stage:
    """The models, the Gateway before them, and callers who ask all the time."""

    def __init__(self, models: Models, gateway: Gateway | EnvoyGateway) -> None:
        self.models, self.gateway = models, gateway
        self.url = models.forward(gateway.target)
        self.callers: dict[str, Caller] = {}

    def call(self, name: str, rate: float) -> None:
        headers = {"Host": host(name)}
        self.models.eventually(lambda: answers(self.url, headers), True)
        self.callers[name] = Caller(
            self.url, rate=rate, headers=headers, forgiven=self.gateway.loses
        )

    def burst(self, name: str, count: int, **headers: str) -> Burst:
        sent = {"Host": host(name), **{k.replace("_", "-"): v for k, v in headers.items()}}
        return burst(self.url, count, headers=sent)

    def crash(self, name: str, revision: str) -> None:
        """One server of a revision of a model ends now."""
        chosen = ("-l", f"canarium.dev/model={name},canarium.dev/revision={revision}")
        where = self.models.kubectl(
            "get", "pods", *chosen, "-o", "jsonpath={.items[0].status.podIP}"
        )
        url = self.models.forward(f"{where}:8080")
        urllib.request.urlopen(f"{url}/crash", data=b"", timeout=5).close()

    def promote(self, name: str, token: str) -> None:
        candidate = self.models.now(name)["candidate"]["revision"]
        self.models.order(name, "promote", candidate, token)

    def writes(self, name: str, by: str = "canarium") -> list[float]:
        """When the API server had carried out each change of a route: seconds since the epoch."""
        path = f"/namespaces/{self.models.namespace}/httproutes/{name}"
        times = []
        with self.models.sandbox.audit_log.open() as lines:
            for line in lines:
                if path not in line or '"patch"' not in line:
                    continue
                event = json.loads(line)
                if (
                    event["objectRef"].get("subresource") is None
                    and by in event["user"]["username"]
                ):
                    at = datetime.fromisoformat(event["stageTimestamp"].replace("Z", "+00:00"))
                    times.append(at.timestamp())
        return times


def condition(status: dict[str, Any], kind: str = "RouteAccepted") -> tuple[str, str, str]:
    (wanted,) = (c for c in status["conditions"] if c["type"] == kind)
    return wanted["status"], wanted["reason"], wanted["message"]


def marked(models: Models, name: str, revision: str) -> dict[str, int]:
    """Requests that the pods of a revision of a model got, by their mark.

    Two models of one spec have revisions of one name.
    """
    counts: dict[str, int] = {}
    chosen = f"canarium.dev/model={name},canarium.dev/revision={revision}"
    line = r'jsonpath={range .items[*]}{.status.podIP}{"\n"}{end}'
    for address in models.kubectl("get", "pods", "-l", chosen, "-o", line).split():
        url = models.forward(f"{address}:8080")
        with urllib.request.urlopen(f"{url}/metrics", timeout=5) as answer:
            for text in answer.read().decode().splitlines():
                name, _, value = text.rpartition(" ")
                if name.startswith("marked_total"):
                    mark = name.split('"')[1]
                    counts[mark] = counts.get(mark, 0) + int(value)
    return {mark: count for mark, count in counts.items() if mark}


def scratch(stable: str, candidate: str) -> dict[str, Any]:
    backends = [
        {"name": f"flips-{revision}", "port": 80, "weight": weight}
        for revision, weight in ((stable, 100), (candidate, 0))
    ]
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "scratch"},
        "spec": {
            "parentRefs": [Gateway.parent()],
            "hostnames": [host("scratch")],
            "rules": [{"backendRefs": backends}],
        },
    }
