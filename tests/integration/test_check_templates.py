"""Templates of checks with a real API server, the operator's process and a service that they ask
(R17, R21); only the kubelet is played."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from canarium.kube import resources
from http_server import HttpServer
from integration import rights
from integration.conftest import PATIENT_LEASE, Cluster, Operator
from sandbox.controlplane import ControlPlane

rule = pytest.mark.rule


@pytest.fixture(scope="module")
def operator(plane: ControlPlane, granted: Path) -> Iterator[Operator]:
    flags = ("--allow-address", "127.0.0.0/8", "--lease-namespace", "default", *PATIENT_LEASE)
    operator = Operator(granted, plane.folder.parent / "operator-check-templates.log", *flags)
    operator.start()
    yield operator
    operator.stop()
    assert rights.Audit(plane).forbidden() == set()


@pytest_asyncio.fixture
async def service() -> AsyncIterator[HttpServer]:
    """A service that measures 0.5 of every version."""

    async def answer(request: web.BaseRequest) -> web.Response:
        return web.json_response({"value": 0.5})

    async with HttpServer(answer) as server:
        yield server


def share(cluster: Cluster, bound: str = "{{ args.max }}", kind: str = "CheckTemplate") -> None:
    """Applies the template `drift`, or for the whole cluster one of the namespace's name."""
    named = {"name": "drift", "namespace": cluster.namespace}
    meta = named if kind == "CheckTemplate" else {"name": cluster.namespace}
    source = {"url": "{{ args.url }}/{{ model }}/{{ revision }}", "path": "$.{{ args.field }}"}
    spec = {
        "args": [
            {"name": "url"},
            {"name": "max", "value": "0.1"},
            {"name": "field", "value": "value"},
        ],
        "checks": [{"name": "drift", "web": source, "max": bound}],
    }
    body = {"apiVersion": "canarium.dev/v1alpha1", "kind": kind, "metadata": meta, "spec": spec}
    cluster.plane.kubectl("apply", "-f", "-", stdin=json.dumps(body))


def judged(service: HttpServer, pause: str = "1s", use: Any = None, **args: str) -> dict[str, Any]:
    use = {"name": "drift", "args": {"url": service.url, "max": "0.9", **args}, **(use or {})}
    return {
        "steps": [{"weight": 25, "pause": pause}],
        "bakeTime": "2s",
        "analysis": {"interval": "1s", "templates": [use]},
    }


async def recorded(cluster: Cluster, status: dict[str, Any]) -> Any:
    record = await cluster.client.get(
        resources.RECORDS, cluster.namespace, f"fraud-{status['revision']}"
    )
    return json.loads(record["metadata"]["annotations"]["canarium.dev/check-templates"])


def condition(status: dict[str, Any], kind: str) -> tuple[str, str, str]:
    (found,) = (c for c in status["conditions"] if c["type"] == kind)
    return found["status"], found["reason"], found["message"]


@rule("R17")
async def test_two_models_are_judged_by_one_template_with_their_own_arguments(
    cluster: Cluster, service: HttpServer
) -> None:
    share(cluster)
    for name in ("fraud", "spam"):
        cluster.apply("1", name=name)
    for name in ("fraud", "spam"):
        await cluster.until(lambda s: s["phase"] == "Ready", name=name)
    cluster.apply("2", rollout=judged(service))
    cluster.apply("2", name="spam", rollout=judged(service, max="0.2"))
    status = await cluster.phase("Ready", "2")
    (entry,) = await recorded(cluster, status)
    assert entry["args"] == {"url": service.url, "max": "0.9"}
    (check,) = entry["checks"]
    assert (check["web"]["path"], check["max"]) == ("$.value", "0.9")
    assert check["web"]["url"] == f"{service.url}/{{{{ model }}}}/{{{{ revision }}}}"
    failed = await cluster.until(lambda s: s["phase"] == "RolledBack", name="spam")
    assert failed["failure"]["reason"] == "AnalysisFailed"
    assert failed["failure"]["message"] == "check drift: 0.5 is above 0.2"
    assert failed["version"] == "1"


@rule("R17")
async def test_edit_during_a_rollout_and_its_bake_does_not_judge_it_again(
    cluster: Cluster, service: HttpServer
) -> None:
    share(cluster)
    cluster.apply("1")
    await cluster.phase("Ready", "1")
    cluster.apply("2", rollout=judged(service, pause="3s"))
    await cluster.until(lambda s: s.get("weight") == 25)
    share(cluster, bound="0.01")
    # Later, the status has no analysis: nothing is judged.
    status = await cluster.until(lambda s: s["phase"] == "Baking" and s["version"] == "2")
    assert [check["verdict"] for check in status["analysis"]["checks"]] == ["Pass"]
    await cluster.phase("Ready", "2")
    cluster.plane.kubectl("-n", cluster.namespace, "delete", "checktemplate", "drift")
    assert condition((await cluster.model())["status"], "AnalysisReady")[0] == "True"
    share(cluster, bound="0.01")
    cluster.apply("3", rollout=judged(service))
    status = await cluster.phase("RolledBack", "2")
    assert status["failure"]["message"] == "check drift: 0.5 is above 0.01"


@rule("R17", "R21")
async def test_missing_template_holds_the_rollout_which_continues_once_it_exists(
    cluster: Cluster, service: HttpServer
) -> None:
    cluster.apply("1")
    await cluster.phase("Ready", "1")
    use = {"name": cluster.namespace, "kind": "ClusterCheckTemplate"}
    cluster.apply("2", rollout=judged(service, use=use))
    title = f"ClusterCheckTemplate/{cluster.namespace}"
    text = f"spec.rollout.analysis.templates[{cluster.namespace}]: {title} does not exist"
    status = await cluster.until(
        lambda s: (s.get("waitingFor") or {}).get("reason") == "AnalysisNotReady"
    )
    assert condition(status, "AnalysisReady") == ("False", "CheckTemplateNotFound", text)
    assert (status["weight"], status["version"]) == (0, "1")
    assert condition(status, "Available")[0] == "True"
    cluster.apply("2", rollout=judged(service, use=use, mx="1"))
    share(cluster, kind="ClusterCheckTemplate")
    try:
        status = await cluster.until(
            lambda s: condition(s, "AnalysisReady")[1] == "InvalidArguments"
        )
        assert "no such argument. Its arguments: field, max, url" in status["message"]
        cluster.apply("2", rollout=judged(service, use=use))
        status = await cluster.phase("Ready", "2")
        assert condition(status, "AnalysisReady")[0] == "True"
    finally:
        cluster.plane.kubectl("delete", "clusterchecktemplate", cluster.namespace)


SECRET = {"authentication": {"secretName": "login"}}
CHECK = {"name": "drift", "metric": "ErrorRate", "max": "1%"}


@rule("R21")
@pytest.mark.parametrize(
    ("analysis", "words"),
    [
        ({"interval": "1s"}, "set checks, templates or both"),
        ({"templates": []}, "templates"),
        ({"templates": [{"name": "a"}, {"name": "a"}]}, "Duplicate value"),
        ({"templates": [{"name": "a", "kind": "Template"}]}, "templates.*kind"),
        ({"templates": [{"name": "a", "args": {"x": 1}}]}, "templates.*args"),
        ({"checks": [{**CHECK, "max": "{{ args.max }}"}]}, "checks.*max"),
        (
            {"checks": [{"name": "a", "prometheus": {"query": "up", **SECRET}, "max": "1"}]},
            "authentication applies only with url",
        ),
    ],
    ids=["none", "empty", "twice", "kind", "number", "placeholder", "default"],
)
async def test_invalid_use_is_refused_at_apply(
    cluster: Cluster, analysis: dict[str, Any], words: str
) -> None:
    with pytest.raises(Exception, match=words):
        cluster.apply("1", rollout={"analysis": analysis})


@rule("R21")
@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"args": []}, "spec.checks"),
        ({"checks": []}, "checks"),
        ({"checks": [{"name": "a", "max": "1"}]}, "set exactly one of metric"),
        ({"checks": [{**CHECK, "max": "{{ args.a }}{{ args.b }}"}]}, "max"),
        ({"checks": [{**CHECK, "max": "{{ revision }}"}]}, "max"),
        ({"checks": [CHECK], "args": [{"name": "a b"}]}, "args"),
        ({"checks": [CHECK], "args": [{"name": "a"}, {"name": "a"}]}, "Duplicate value"),
    ],
    ids=["no-checks", "empty", "no-source", "two", "variable", "name", "twice"],
)
async def test_invalid_template_is_refused_at_apply(
    cluster: Cluster, spec: dict[str, Any], words: str
) -> None:
    for kind in ("CheckTemplate", "ClusterCheckTemplate"):
        body = {
            "apiVersion": "canarium.dev/v1alpha1",
            "kind": kind,
            "metadata": {"name": "refused", "namespace": cluster.namespace},
            "spec": spec,
        }
        with pytest.raises(Exception, match=words):
            cluster.plane.kubectl("apply", "-f", "-", stdin=json.dumps(body))
