"""The commit that a branch or tag of the Hugging Face hub names, and why there is none (R26)."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web as server

from canarium.api.uri import parse
from canarium.signals.access import NamespaceAccess
from canarium.signals.endpoint import Endpoint
from canarium.sources.errors import Unresolved
from canarium.sources.hub_revision import resolved
from canarium.sources.registry_server import RegistryServer
from fetch.conftest import PYTHON, environment, serve
from signals.conftest import Responder

__all__ = ["environment", "serve"]

rule = pytest.mark.rule
COMMIT = "4f1c2d9" + "0" * 33


def hub(web: NamespaceAccess, responder: Responder) -> RegistryServer:
    token = {"Authorization": "Bearer hf_right"}
    return RegistryServer(web, Endpoint(f"{responder.url}/mirror/", 2, token, None, ("hf_right",)))


@rule("R26")
@pytest.mark.parametrize(
    ("uri", "asked", "below"),
    [
        ("hf://o/m", "main", ""),
        ("hf://o/m@main/sub/a.json", "main", "/sub/a.json"),
        ("hf://o/m@v1.0/", "v1.0", ""),
        ("hf://o/m@a%2Fb", "a%2Fb", ""),
        ("hf://o/m@refs/pr/1/sub", "refs%2Fpr%2F1", "/sub"),
        ("hf://o/m@refs%2Fpr%2F1", "refs%2Fpr%2F1", ""),
        ("hf://o/m@4f1c2d9", "4f1c2d9", ""),
    ],
)
async def test_branch_or_tag_is_resolved_to_its_commit(
    web: NamespaceAccess, responder: Responder, uri: str, asked: str, below: str
) -> None:
    responder.responds(json.dumps({"sha": COMMIT}))
    assert parse(uri).moves
    found = await resolved(hub(web, responder), parse(uri))
    assert found == f"hf://o/m@{COMMIT}{below}"
    assert not parse(found).moves
    assert [path for _, path, _ in responder.requests] == [
        f"/mirror/api/models/o/m/revision/{asked}?expand=sha"
    ]
    assert responder.headers[0]["Authorization"] == "Bearer hf_right"


@rule("R26")
def test_request_is_that_of_the_hubs_own_client(serve: Callable[[Any], str]) -> None:
    """The client of the fetcher's environment, and its answer from the stand-in of fetch tests."""
    from fetch.test_hub import Hub

    asked: list[str] = []

    class Served(Hub):
        def do_GET(self) -> None:
            asked.append(self.path)
            super().do_GET()

    code = (
        "import sys; from huggingface_hub import HfApi; "
        "api = HfApi(endpoint=sys.argv[1], token=False); "
        "print(api.model_info('example/fraud', revision='refs/pr/1', expand=['sha']).sha)"
    )
    Served.token = None
    ran = subprocess.run([PYTHON, "-c", code, serve(Served)], capture_output=True, text=True)
    assert "Invalid rev id" in ran.stderr
    assert asked == ["/api/models/example/fraud/revision/refs%2Fpr%2F1?expand=sha"]


@rule("R26")
@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (404, '{"error": "Invalid rev id: main"}', "SourceNotFound"),
        (401, '{"error": "Invalid credentials hf_right"}', "SourceAccessDenied"),
        (403, "", "SourceAccessDenied"),
        (429, '{"error": "too many requests"}', "SourceUnavailable"),
        (503, "", "SourceUnavailable"),
        (200, "<h1>Sign in</h1>", "SourceUnavailable"),
        (200, "[" * 100_000, "SourceUnavailable"),
        (200, json.dumps({"sha": COMMIT, "siblings": "f" * (256 << 10)}), "SourceUnavailable"),
        (200, '{"sha": "main"}', "SourceUnavailable"),
        (200, "{}", "SourceUnavailable"),
    ],
)
async def test_revision_without_a_commit_has_a_reason_and_no_secret(
    web: NamespaceAccess, responder: Responder, status: int, body: str, reason: str
) -> None:
    responder.responds(body, status)
    with pytest.raises(Unresolved, match="'main' of o/m") as refused:
        await resolved(hub(web, responder), parse("hf://o/m@main"))
    assert refused.value.reason == reason
    assert "hf_right" not in str(refused.value)


@rule("R26")
@pytest.mark.parametrize(
    ("location", "follows"),
    [
        ("/mirror/api/models/new/m/revision/main?expand=sha", True),
        ("/mirror/api/models/new/m/revision/main", True),
        ("http://169.254.169.254/latest", False),
        ("/elsewhere", False),
        ("http://[", False),
    ],
)
async def test_renamed_repository_is_found_but_no_other_host_gets_the_token(
    web: NamespaceAccess, responder: Responder, location: str, follows: bool
) -> None:
    async def answer(request: server.Request) -> server.Response:
        if "/o/m/" in request.path:
            return server.Response(status=307, headers={"Location": location})
        assert request.query_string == "expand=sha"
        return server.json_response({"sha": COMMIT})

    responder.handler = answer
    address = parse("hf://o/m@main")
    if follows:
        assert await resolved(hub(web, responder), address) == f"hf://o/m@{COMMIT}"
        return
    with pytest.raises(Unresolved) as refused:
        await resolved(hub(web, responder), address)
    assert refused.value.reason == "SourceUnavailable"
    assert len(responder.requests) == 1
