"""Rights, expired tokens and forged requests, decided by the real API server."""

from __future__ import annotations

import json

import aiohttp
import pytest

from canarium.kube import resources
from integration.conftest import Cluster
from integration.dashboard.people import person


class Client:
    """A browser without a screen: cookies, and the headers that browsers send."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.session = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.session.close()

    async def get(self, path: str) -> tuple[int, str]:
        async with self.session.get(self.address + path) as answer:
            return answer.status, await answer.text()

    async def post(self, path: str, **fields: str) -> tuple[int, str]:
        origin = {"Origin": self.address}
        async with self.session.post(self.address + path, data=fields, headers=origin) as answer:
            return answer.status, await answer.text()

    async def enter(self, token: str) -> int:
        status, _ = await self.post("/login", token=token, next="/static/app.css")
        return status


async def test_api_server_decides_what_each_person_sees(cluster: Cluster, address: str) -> None:
    cluster.apply("1")
    await cluster.phase("Ready", "1")
    model = f"/models/{cluster.namespace}/fraud"
    nobody = person(cluster.plane, cluster.namespace, "nobody", reads=False, writes=False)
    viewer = person(cluster.plane, cluster.namespace, "viewer", reads=True, writes=False)
    async with Client(address) as client:
        assert await client.enter(nobody) == 200
        for path in ("/", model, f"{model}/stream", f"{model}/revisions/x"):
            status, text = await client.get(path)
            assert status == 403, path
            assert "Serving version" not in text
    async with Client(address) as client:
        assert await client.enter(viewer) == 200
        status, text = await client.get(model)
        assert (status, "Serving version" in text) == (200, True)
        assert (await client.get("/models/default/fraud"))[0] == 403
        # Logs need a separate right, which this person does not have.
        pod = (await cluster.client.list(resources.PODS, cluster.namespace))["items"][0]
        _, text = await client.get(f"{model}/pods/{pod['metadata']['name']}/log")
        assert "pods/log" in text
        assert "forbidden" in text
        status, text = await client.get(f"{model}/commands/abort")
        assert status == 403
        assert "You may not patch" in text


async def test_forged_command_changes_nothing(cluster: Cluster, address: str) -> None:
    cluster.apply("1")
    await cluster.phase("Ready", "1")
    token = person(cluster.plane, cluster.namespace, "editor", reads=True, writes=True)
    path = f"/models/{cluster.namespace}/fraud/commands/pause"
    before = await cluster.model()
    revision = before["status"]["stable"]["revision"]
    fields = {"csrf": "0" * 64, "revision": revision, "token": "0123456789abcdef"}
    async with Client(address) as client:
        assert await client.enter(token) == 200
        assert (await client.post(path, **fields))[0] == 403
        evil = {"Origin": "https://evil.example"}
        url = f"{address}{path}"
        async with client.session.post(url, data=fields, headers=evil) as answer:
            assert answer.status == 403
    assert "canarium.dev/pause" not in json.dumps((await cluster.model())["metadata"])


async def test_command_is_written_by_the_person_in_the_audit_log(
    cluster: Cluster, address: str
) -> None:
    cluster.apply("1")
    await cluster.phase("Ready", "1")
    cluster.apply("2", rollout={"steps": [{"weight": 25, "pause": "Manual"}]})
    await cluster.until(lambda s: s.get("waitingFor", {}).get("reason") == "Manual")
    token = person(cluster.plane, cluster.namespace, "author", reads=True, writes=True)
    path = f"/models/{cluster.namespace}/fraud/commands/abort"
    async with Client(address) as client:
        assert await client.enter(token) == 200
        _, text = await client.get(path)
        names = ("csrf", "revision", "token")
        fields = {n: text.split(f'name="{n}" value="')[-1].split('"')[0] for n in names}
        status, text = await client.post(path, **fields)
        assert status == 200
    await cluster.until(lambda s: any(c["command"] == "abort" for c in s.get("commands", ())))
    lines = (cluster.plane.folder / "audit.log").read_text().splitlines()
    user = f"system:serviceaccount:{cluster.namespace}:author"
    patches = [
        e for e in map(json.loads, lines) if e["verb"] == "patch" and e["user"]["username"] == user
    ]
    assert {e["objectRef"]["resource"] for e in patches} == {"modeldeployments"}


@pytest.mark.rule("R27")
async def test_gates_are_decided_only_with_the_verb_approve_for_them(
    cluster: Cluster, address: str
) -> None:
    gates = [{"name": "risk", "before": "Promotion", "approval": {}}]
    cluster.apply("1", rollout={"gates": gates})
    status = await cluster.until(lambda s: (s.get("gates") or [{}])[0].get("state") == "Waiting")
    model = f"/models/{cluster.namespace}/fraud"
    editor, other, officer = (
        person(cluster.plane, cluster.namespace, name, reads=True, writes=True, approves=gate)
        for name, gate in (("editor", None), ("other", "board"), ("officer", "risk"))
    )
    for token in (editor, other):
        async with Client(address) as client:
            assert await client.enter(token) == 200
            _, text = await client.get(model)
            assert "gates-title" in text
            assert "/gates/risk/approve" not in text
            code, text = await client.get(f"{model}/gates/risk/approve")
            assert (code, "requires the verbs patch and approve" in text) == (403, True)
    async with Client(address) as client:
        assert await client.enter(officer) == 200
        assert "/gates/risk/approve" in (await client.get(model))[1]
        _, text = await client.get(f"{model}/gates/risk/approve")
        names = ("csrf", "revision", "token")
        fields = {n: text.split(f'name="{n}" value="')[-1].split('"')[0] for n in names}
        code, _ = await client.post(f"{model}/gates/risk/approve", comment="read", **fields)
        assert code == 200
    notes = (await cluster.model())["metadata"]["annotations"]
    assert notes["canarium.dev/approve"] == f"{status['revision']}/risk:{fields['token']}"
    user = f"system:serviceaccount:{cluster.namespace}:officer"
    assert (notes["canarium.dev/approval-by"], notes["canarium.dev/approval-comment"]) == (
        user, "read"
    )  # fmt: skip
