"""The scheme that is used if a registry names several, and what a hostile header costs."""

from __future__ import annotations

import time

import pytest
from aiohttp import web as server
from multidict import CIMultiDict

from canarium.api.uri import parse
from canarium.signals.access import NamespaceAccess
from canarium.signals.endpoint import Endpoint
from canarium.signals.http_client import Response
from canarium.sources import oci_tag
from canarium.sources.challenges import challenges
from canarium.sources.errors import Unresolved
from canarium.sources.registry_server import RegistryServer
from signals.conftest import Responder

rule = pytest.mark.rule
DIGEST = f"sha256:{'a' * 64}"
LOGIN = ("me", "hunter22")


@rule("R26", "R31")
@pytest.mark.parametrize(
    "header",
    [
        "Bearer " + "a" * 8190,
        "Bearer " + 'a="' * 2730,
        "Bearer a=" + " " * 8180,
        "Bearer " + "a " * 4095,
        "Bearer " + "=" * 8190,
    ],
)
async def test_hostile_header_costs_the_event_loop_little(
    web: NamespaceAccess, monkeypatch: pytest.MonkeyPatch, header: str
) -> None:
    registry = RegistryServer(web, Endpoint("https://registry.example", 2))
    asks = Response(401, b"", 0, CIMultiDict({"WWW-Authenticate": header}))

    async def ask(*arguments: object, **options: object) -> Response:
        return asks

    monkeypatch.setattr(registry, "ask", ask)
    began = time.process_time()
    with pytest.raises(Unresolved):
        await oci_tag.resolved(registry, parse("oci://registry.example/m:1"), LOGIN)
    assert time.process_time() - began < 0.02


@rule("R26")
@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ([], {}),
        (["Basic"], {"basic": {}}),
        (['BASIC Realm="a, b"'], {"basic": {"realm": "a, b"}}),
        (
            [
                'Basic realm="r", Bearer realm="https://t/x?y=z",service="s",scope="repository:m:pull"'
            ],
            {
                "basic": {"realm": "r"},
                "bearer": {
                    "realm": "https://t/x?y=z",
                    "service": "s",
                    "scope": "repository:m:pull",
                },
            },
        ),
        (
            ["Negotiate", "Bearer realm=https://t"],
            {"negotiate": {}, "bearer": {"realm": "https://t"}},
        ),
        (
            ['Bearer realm="https://one"', 'Bearer realm="https://two",service="s"'],
            {"bearer": {"realm": "https://one"}},
        ),
    ],
)
def test_every_scheme_of_every_header_is_read(
    headers: list[str], found: dict[str, dict[str, str]]
) -> None:
    assert challenges(headers) == found


@rule("R26")
@pytest.mark.parametrize("joined", [True, False])
async def test_token_is_preferred_to_the_password_and_has_the_scope_of_the_repository(
    web: NamespaceAccess, responder: Responder, joined: bool
) -> None:
    """The registry names no scope."""

    async def answer(request: server.Request) -> server.Response:
        if request.path == "/token":
            assert dict(request.query) == {"scope": "repository:team/m:pull"}
            return server.json_response({"token": "t0ken"})
        if request.headers.get("Authorization") == "Bearer t0ken":
            return server.Response(headers={"Docker-Content-Digest": DIGEST})
        asks = ['Basic realm="r"', f'Bearer realm="{responder.url}/token"']
        headers = CIMultiDict[str]()
        for value in [", ".join(asks)] if joined else asks:
            headers.add("WWW-Authenticate", value)
        return server.Response(status=401, headers=headers)

    responder.handler = answer
    registry = RegistryServer(web, Endpoint(responder.url, 2))
    found = await oci_tag.resolved(registry, parse("oci://r/team/m:1"), LOGIN)
    assert found == f"oci://r/team/m@{DIGEST}"
