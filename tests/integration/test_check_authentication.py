"""Credentials of checks with a real API server, the operator's process and a token server."""

from __future__ import annotations

import asyncio
import base64
import json
import signal
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
import pytest_asyncio
from aiohttp import web

from http_server import HttpServer
from integration import rights
from integration.conftest import PATIENT_LEASE, SHORT_LEASE, Cluster, Operator
from sandbox.controlplane import ControlPlane

rule = pytest.mark.rule
STEPS = [{"weight": 50, "pause": "500ms"}]
SECRET = "s3cret-of-mine"


@dataclass
class Metrics:
    """A Prometheus behind OAuth 2.0, with its token server at /token."""

    tokens: list[dict[str, list[str]]] = field(default_factory=list)
    queries: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.server = HttpServer(self._handle)

    async def _handle(self, request: web.BaseRequest) -> web.Response:
        login = request.headers.get("Authorization", "")
        if request.path == "/token":
            self.tokens.append(parse_qs(await request.text()))
            if login != f"Basic {base64.b64encode(f'me:{SECRET}'.encode()).decode()}":
                error = {"error": "invalid_client", "error_description": f"not {login}"}
                return web.json_response(error, status=401)
            return web.json_response({"access_token": "t0ken", "expires_in": 3600})
        if login != "Bearer t0ken":
            return web.json_response({"message": "no token"}, status=401)
        self.queries.append(request.query["query"])
        data = {"resultType": "scalar", "result": [time.time(), "0.05"]}
        return web.json_response({"status": "success", "data": data})

    def rollout(self, **authentication: Any) -> dict[str, Any]:
        query = {"url": self.server.url, "query": 'drift{r="{{ revision }}"}'}
        check = {"name": "drift", "max": "0.2", "prometheus": query}
        query["authentication"] = authentication or {  # type: ignore[assignment]
            "secretName": "metrics",
            "oauth2": {"tokenUrl": f"{self.server.url}/token", "scopes": ["read"]},
        }
        analysis = {"interval": "1s", "checks": [check]}
        return {"steps": STEPS, "bakeTime": "1s", "analysis": analysis}


@pytest.fixture(scope="module")
def operator(plane: ControlPlane, granted: Path) -> Iterator[Operator]:
    flags = ("--allow-address", "127.0.0.0/8", "--lease-namespace", "default", *PATIENT_LEASE)
    operator = Operator(granted, plane.folder.parent / "operator-authentication.log", *flags)
    operator.start()
    yield operator
    operator.stop()
    assert rights.Audit(plane).forbidden() == set()


@pytest_asyncio.fixture
async def metrics() -> AsyncIterator[Metrics]:
    made = Metrics()
    async with made.server:
        yield made


def store(cluster: Cluster, **values: str) -> None:
    body = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "metrics", "namespace": cluster.namespace},
        "stringData": values,
    }
    cluster.plane.kubectl("apply", "-f", "-", stdin=json.dumps(body))


def ready(status: dict[str, Any]) -> tuple[str, str]:
    found = (c for c in status["conditions"] if c["type"] == "AnalysisReady")
    condition = next(found, {})
    return str(condition.get("reason")), str(condition.get("message"))


@rule("R17", "R21", "R29")
async def test_secret_is_corrected_step_by_step_until_the_check_passes(
    cluster: Cluster, metrics: Metrics
) -> None:
    cluster.apply("1")
    await cluster.phase("Ready", "1")
    cluster.apply("2", rollout=metrics.rollout())
    field_path = "spec.rollout.analysis.checks[drift]: "
    status = await cluster.until(lambda s: ready(s)[0] == "InvalidCredentials")
    assert ready(status)[1].startswith(f"{field_path}Secret metrics: not found")
    store(cluster, **{"client-id": "me"})
    await cluster.until(
        lambda s: ready(s)[1].startswith(f"{field_path}Secret metrics has no key client-secret")
    )
    store(cluster, **{"client-id": "me", "client-secret": "another"})
    status = await cluster.until(lambda s: ready(s)[0] == "AccessDenied")
    assert "status 401: invalid_client: not Basic [redacted]" in ready(status)[1]
    refused = len(metrics.tokens)
    await asyncio.sleep(3)
    assert len(metrics.tokens) == refused, "a secret that is refused is not sent each second"
    assert status["version"] == "1"
    store(cluster, **{"client-id": "me", "client-secret": SECRET})
    status = await cluster.phase("Ready", "2", 60)
    assert metrics.tokens[-1] == {"grant_type": ["client_credentials"], "scope": ["read"]}
    assert len(metrics.tokens) == refused + 1, "one token for all queries"
    assert set(metrics.queries) == {f'drift{{r="{status["stable"]["revision"]}"}}'}
    assert SECRET not in json.dumps(await cluster.model())
    assert SECRET not in cluster.operator.text()


@pytest_asyncio.fixture
async def without_secrets(cluster: Cluster, tmp_path: Path) -> AsyncIterator[Cluster]:
    """An operator of the test's namespace alone, with the chart's roles but no right to Secrets."""
    namespace = cluster.namespace
    sets = (f'scope.namespaces=["{namespace}"]', "rbac.secrets=false")
    kubeconfig = rights.granted(
        cluster.plane, *sets, namespace=namespace, into=tmp_path / "kubeconfig"
    )
    flags = ("--namespace", namespace, "--lease-namespace", namespace, *SHORT_LEASE)
    operator = Operator(
        kubeconfig, tmp_path / "operator.log", "--allow-address", "127.0.0.0/8", *flags
    )
    cluster.operator.stop()
    operator.start()
    yield cluster
    operator.stop(signal.SIGTERM)
    cluster.operator.start()


@rule("R17", "R29")
async def test_check_without_the_right_to_its_secret_continues_with_a_role_for_that_secret(
    without_secrets: Cluster, metrics: Metrics
) -> None:
    cluster = without_secrets
    cluster.apply("1")
    await cluster.phase("Ready", "1")
    store(cluster, **{"client-id": "me", "client-secret": SECRET})
    cluster.apply("2", rollout=metrics.rollout())
    status = await cluster.until(lambda s: ready(s)[0] == "InvalidCredentials")
    assert 'cannot get resource "secrets"' in ready(status)[1]
    assert status["version"] == "1"
    role = ("-n", cluster.namespace, "create", "role", "metrics-secret", "--verb=get")
    cluster.plane.kubectl(*role, "--resource=secrets", "--resource-name=metrics")
    account = f"--serviceaccount={cluster.namespace}:canarium"
    binding = ("-n", cluster.namespace, "create", "rolebinding", "metrics-secret")
    cluster.plane.kubectl(*binding, "--role=metrics-secret", account)
    await cluster.phase("Ready", "2", 60)
    refused = rights.Audit(cluster.plane, cluster.namespace).forbidden()
    assert refused == {("get", "/secrets")}


@rule("R17", "R31")
async def test_identity_of_the_operator_is_not_used_where_no_administrator_allows_it(
    cluster: Cluster, metrics: Metrics
) -> None:
    cluster.apply("1")
    await cluster.phase("Ready", "1")
    rollout = metrics.rollout(workloadIdentity="Google")
    query = rollout["analysis"]["checks"][0]["prometheus"]
    query["url"] = query["url"].replace("http://", "https://")
    cluster.apply("2", rollout=rollout)
    status = await cluster.until(lambda s: ready(s)[0] == "AddressRefused")
    assert "is not a host for the operator's identity at Google" in ready(status)[1]
    assert (status["version"], metrics.queries) == ("1", [])
