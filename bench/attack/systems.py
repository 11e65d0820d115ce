"""Models of a hostile namespace that name systems of users: registries, token servers, gates,
recorded requests and external metrics."""

from __future__ import annotations

import base64
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.attack.server import ADDRESS
from bench.attack.tenants import Manifest, model
from sandbox.pki import Authority

#: Models of each kind, gates of one model, and its recorded requests.
_MODELS, _GATES, _RECORDED = 5, 5, 100
#: Bytes of certificates, less than a Secret may have for the operator.
_CERTIFICATES = 40_000


def objects() -> Iterator[tuple[str, Manifest]]:
    """The Secret of all requests, with many certificates, and the recorded requests."""
    data = {
        "ca.crt": _certificates(),
        "client-id": "evil",
        "client-secret": "evil",
        "MLFLOW_TRACKING_TOKEN": "evil",
    }
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    yield "Secret", {"metadata": {"name": "login"}, "data": encoded}
    lines = "\n".join(json.dumps({"a": "x" * 1_000, "n": n}) for n in range(_RECORDED))
    yield "ConfigMap", {"metadata": {"name": "recorded"}, "data": {"lines": lines}}


def _certificates() -> str:
    with tempfile.TemporaryDirectory() as folder:
        authority = Authority(Path(folder))
        authority.make()
        one = authority.certificate.read_text()
    return one * (_CERTIFICATES // len(one))


def unresolved(port: int) -> Iterator[Manifest]:
    """Moving references at a registry that refuses the credentials, or never answers."""
    for number in range(_MODELS):
        for path in ("denied", "silent"):
            body = model(f"{path}-{number}", "1", port)
            body["spec"]["model"] = {
                "uri": f"mlflow://m{number}@champion",
                "endpoint": f"http://{ADDRESS}:{port}/{path}",
                "credentials": {"secretName": "login"},
            }
            yield body


def waiting(port: int) -> Iterator[Manifest]:
    """First versions with gates whose token servers answer nonsense, or never."""
    for number in range(_MODELS):
        gates = [
            {"name": f"g{gate}", "before": "Traffic", "web": _web(port, gate, number)}
            for gate in range(_GATES)
        ]
        yield model(f"waiting-{number}", "1", port, rollout={"gates": gates})


def _web(port: int, gate: int, number: int) -> Manifest:
    path = "silent" if gate % 2 else "endless-lifetime"
    address = f"http://{ADDRESS}:{port}"
    oauth2 = {"tokenUrl": f"{address}/{path}", "scopes": [f"s{gate}-{number}"]}
    login = {"secretName": "login", "oauth2": oauth2}
    return {"url": f"{address}/pending", "interval": "1s", "authentication": login}


def compared(port: int, version: str) -> Manifest:
    """A rollout whose checks send recorded requests, ask an adapter, and need tokens."""
    recorded = {"name": "recorded", "key": "lines"}
    checks: list[Manifest] = [
        {"replay": {"requests": recorded, "path": path, "json": "$..*", "timeout": "30s"}}
        for path in ("/numbers", "/long", "/silent")
    ]
    checks += [{"external": {"metric": f"queue-{number}"}} for number in range(6)]
    checks += [
        {"web": {"url": f"http://{ADDRESS}:{port}/numbers", "path": "$[0][0]", **_login(port, n)}}
        for n in range(6)
    ]
    named = [{"name": f"c{n}", "max": "1", **check} for n, check in enumerate(checks)]
    analysis = {"interval": "1s", "checks": named}
    return model("compared", version, port, rollout={"analysis": analysis})


def _login(port: int, number: int) -> Manifest:
    return {"authentication": _web(port, number, 100)["authentication"]}
