"""Routes as rendered, each beside its expected manifest.

`PYTHONPATH=tests/unit python -m render.routes` writes them again; `git diff` shows what changed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from canarium.api.effective_traffic import effective_traffic
from canarium.api.route_kind import GRPC_ROUTE, HTTP_ROUTE, VIRTUAL_SERVICE, RouteKind
from canarium.render.routes import RENDERED, backend
from canarium.render.traffic_split import Split

FOLDER = Path(__file__).parents[2] / "golden" / "routes"
STABLE, CANDIDATE = "vkxf7wr8", "w2mq9dzt"
VERSIONS = {STABLE: "7", CANDIDATE: "8 – größer"}
NOTES = {"canarium.dev/stable": STABLE, "canarium.dev/candidate": CANDIDATE}
PUBLIC = {"parentRefs": [{"name": "public"}]}
WHOLE = {
    "parentRefs": [{"name": "public", "namespace": "infra", "sectionName": "web"}],
    "hostnames": ["models.example.org"],
    "pathPrefix": "/fraud",
    "rewritePrefix": "/",
    "timeouts": {"request": "1m30.5s", "backendRequest": "20s"},
    "headerMatch": {"name": "x-try", "value": "new"},
    "mirror": {"percent": 20},
}
GRPC = {**PUBLIC, "protocol": "GRPC", "hostnames": ["grpc.example.org"]}
BARE = {**PUBLIC, "headerMatch": {"enabled": False}, "responseHeaders": False}


MESH = {
    "gateways": ["istio-system/public", "mesh"],
    "hosts": ["models.example.org"],
    "pathPrefix": "/fraud",
    "rewritePrefix": "/",
    "timeout": "1m30s",
    "mirror": {"percent": 20},
}


def split(weight: int, *, direct: bool = True) -> Split:
    weights = ((STABLE, 100 - weight), (CANDIDATE, weight))
    return Split(weights, CANDIDATE, direct, versions=VERSIONS, notes=NOTES)


ALONE = Split(((STABLE, 100),), versions=VERSIONS, notes={"canarium.dev/stable": STABLE})
#: File → kind, spec.traffic.gateway, split.
CASES: dict[str, tuple[RouteKind, dict[str, Any], Split]] = {
    "alone": (HTTP_ROUTE, PUBLIC, ALONE),
    "canary": (HTTP_ROUTE, PUBLIC, split(25)),
    "shadow": (HTTP_ROUTE, WHOLE, split(0)),
    "whole": (HTTP_ROUTE, WHOLE, split(10)),
    "bare": (HTTP_ROUTE, BARE, split(50, direct=False)),
    "grpc": (GRPC_ROUTE, GRPC, split(25)),
    "istio": (VIRTUAL_SERVICE, {}, split(25)),
    "istio-shadow": (VIRTUAL_SERVICE, MESH, split(0)),
}


def parent(kind: RouteKind, asked: dict[str, Any]) -> dict[str, Any]:
    by = ("Istio", "istio") if kind == VIRTUAL_SERVICE else ("Gateway", "gateway")
    return {
        "metadata": {"name": "fraud", "namespace": "risk", "uid": "u-1"},
        "spec": {"traffic": {"router": by[0], by[1]: asked}},
    }


def rendered(case: str) -> list[dict[str, Any]]:
    """The route of a case, and the Service of its stable revision."""
    kind, asked, what = CASES[case]
    model = parent(kind, asked)
    traffic = effective_traffic(model["spec"]["traffic"])
    return [RENDERED[kind](model, traffic, what), backend(model, traffic, STABLE)]


def text(case: str) -> str:
    plain = json.loads(json.dumps(rendered(case)))
    return yaml.safe_dump_all(plain, sort_keys=True, width=100)


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in CASES:
        (FOLDER / f"{name}.yaml").write_text(text(name))
