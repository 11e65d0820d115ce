"""Which redirects of an OCI registry are followed, and what is reported of others (R26)."""

from __future__ import annotations

import pytest
from aiohttp import web as server

from canarium.api.uri import parse
from canarium.signals.access import NamespaceAccess
from canarium.signals.endpoint import Endpoint
from canarium.signals.http_client import Response
from canarium.sources import oci_tag
from canarium.sources.errors import Unresolved
from canarium.sources.registry_server import RegistryServer
from signals.conftest import Responder

rule = pytest.mark.rule
ADDRESS = parse("oci://r/m:1")
DIGEST = f"sha256:{'a' * 64}"


class Scripted(RegistryServer):
    """A registry whose first answer redirects, and whose second names the digest."""

    def __init__(self, web: NamespaceAccess, url: str, location: str) -> None:
        super().__init__(web, Endpoint(url, 2))
        self.asked: list[str] = []
        self._location = location

    async def ask(self, method: str, path: str, what: str, **options: object) -> Response:  # type: ignore[override]
        self.asked.append(str(options.get("url") or path))
        if len(self.asked) == 1:
            return Response(307, b"", 0, {"Location": self._location})
        return Response(200, b"", 0, {"Docker-Content-Digest": DIGEST})


@rule("R26")
async def test_redirect_within_the_registry_is_followed_with_the_login(
    web: NamespaceAccess, responder: Responder
) -> None:
    async def answer(request: server.Request) -> server.Response:
        if not request.path.startswith("/moved"):
            return server.Response(status=307, headers={"Location": f"/moved{request.path}"})
        if "Authorization" not in request.headers:
            return server.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="r"'})
        return server.Response(text="{}" if request.method == "GET" else "")

    responder.handler = answer
    registry = RegistryServer(web, Endpoint(responder.url, 2))
    found = await oci_tag.resolved(registry, ADDRESS, ("me", "hunter22"))
    assert found.startswith("oci://r/m@sha256:44136fa355b3678a")
    methods = [method for method, _, _ in responder.requests]
    assert methods == ["HEAD", "HEAD", "HEAD", "HEAD", "GET", "GET"]


@rule("R26")
@pytest.mark.parametrize(
    ("url", "location"),
    [
        ("http://r.example", "https://r.example/v2/m/manifests/1"),
        ("http://r.example:5000", "https://r.example:5000/x"),
        ("https://r.example", "https://r.example:443/x"),
        ("https://r.example/proxied", "/other"),
    ],
)
async def test_redirect_to_the_same_server_or_its_tls_is_followed(
    web: NamespaceAccess, url: str, location: str
) -> None:
    registry = Scripted(web, url, location)
    assert await oci_tag.resolved(registry, ADDRESS, None) == f"oci://r/m@{DIGEST}"
    assert len(registry.asked) == 2


@rule("R26", "R31")
@pytest.mark.parametrize(
    ("url", "location", "words"),
    [
        (
            "https://r.example",
            "https://other.example/v2/?secret=a",
            "redirects to https://other.example; name that registry in the URI or in "
            "spec.model.endpoint",
        ),
        ("https://r.example", "//r.example:8443/x", "redirects to https://r.example:8443; name"),
        ("http://r.example:5000", "https://r.example/x", "redirects to https://r.example; name"),
        ("https://r.example", "http://r.example/x", "http://r.example, which has no TLS"),
        ("https://r.example", "http://r.example:443/x", "http://r.example:443, which has no TLS"),
        ("https://r.example", "https://me:secret@r.example/x", "not valid"),
        ("https://r.example", "ftp://r.example/x", "not valid"),
        ("https://r.example", "https://[/x", "not valid"),
    ],
)
async def test_redirect_elsewhere_is_not_followed_but_named(
    web: NamespaceAccess, url: str, location: str, words: str
) -> None:
    registry = Scripted(web, url, location)
    with pytest.raises(Unresolved) as refused:
        await oci_tag.resolved(registry, ADDRESS, ("me", "hunter22"))
    assert refused.value.reason == "SourceUnavailable"
    assert words in str(refused.value)
    assert "secret" not in str(refused.value)
    assert len(registry.asked) == 1


@rule("R26", "R31")
async def test_redirects_without_end_stop(web: NamespaceAccess, responder: Responder) -> None:
    async def answer(request: server.Request) -> server.Response:
        return server.Response(status=302, headers={"Location": f"{request.path}x"})

    responder.handler = answer
    registry = RegistryServer(web, Endpoint(responder.url, 2))
    with pytest.raises(Unresolved, match="HTTP 302"):
        await oci_tag.resolved(registry, ADDRESS, None)
    assert len(responder.requests) == 4


@rule("R26")
async def test_registry_that_redirects_to_tls_cannot_name_a_token_service_without(
    web: NamespaceAccess, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = RegistryServer(web, Endpoint("http://r.example", 2))
    asked: list[str] = []

    async def ask(method: str, path: str, what: str, **options: object) -> Response:
        asked.append(str(options.get("url") or path))
        if len(asked) == 1:
            return Response(301, b"", 0, {"Location": "https://r.example/v2/m/manifests/1"})
        return Response(401, b"", 0, {"WWW-Authenticate": 'Bearer realm="http://t.example"'})

    monkeypatch.setattr(registry, "ask", ask)
    with pytest.raises(Unresolved, match="https:// address of its token service"):
        await oci_tag.resolved(registry, ADDRESS, ("me", "hunter22"))
    assert len(asked) == 2
