"""The digest that a tag of an OCI registry names, and why there is none (R26).

The registry is a real one, alone and behind the doorman of fetch tests.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import web as server

from canarium.api.uri import parse
from canarium.signals.access import NamespaceAccess
from canarium.signals.endpoint import Endpoint
from canarium.sources import oci_tag
from canarium.sources.errors import Unresolved
from canarium.sources.oci_tag import resolved
from canarium.sources.registry_server import RegistryServer
from fetch.conftest import registry, serve
from fetch.registries import Doorman, Registry
from signals.conftest import Responder

__all__ = ["registry", "serve"]

rule = pytest.mark.rule
LOGIN = ("me", "hunter22")
DIGEST = f"sha256:{'a' * 64}"


def at(web: NamespaceAccess, url: str) -> RegistryServer:
    return RegistryServer(web, Endpoint(url, 2, secrets=("hunter22",)))


@rule("R26")
async def test_tag_is_resolved_to_the_digest_of_its_manifest(
    web: NamespaceAccess, registry: Registry
) -> None:
    first = registry.push("models/moving", "prod", {"content": b"one"})
    address = parse(f"oci://{registry.host}/models/moving:prod")
    found = await resolved(at(web, f"http://{registry.host}"), address, LOGIN)
    assert found == f"oci://{registry.host}/models/moving@{first}"
    assert not parse(found).moves
    second = registry.push("models/moving", "prod", {"content": b"two"})
    assert second != first
    assert second in await resolved(at(web, f"http://{registry.host}/"), address, None)
    latest = parse(f"oci://{registry.host}/models/moving")
    with pytest.raises(Unresolved) as refused:
        await resolved(at(web, f"http://{registry.host}"), latest, None)
    assert refused.value.reason == "SourceNotFound"
    assert "'latest' of models/moving" in str(refused.value)


@rule("R26")
@pytest.mark.parametrize("kind", ["basic", "bearer"])
async def test_private_registry_gets_the_login_as_it_asks_for_it(
    web: NamespaceAccess, registry: Registry, serve: Callable[[Any], str], kind: str
) -> None:
    digest = registry.push("models/private", "1", {"content": b"one"})

    class Private(Doorman):
        pass

    Private.host, Private.kind, Private.tokens = registry.host, kind, {}
    door = at(web, serve(Private))
    address = parse("oci://registry.example/models/private:1")
    found = await resolved(door, address, LOGIN)
    assert found == f"oci://registry.example/models/private@{digest}"
    for login in (None, ("me", "wrong")):
        with pytest.raises(Unresolved) as refused:
            await resolved(door, address, login)
        assert refused.value.reason == "SourceAccessDenied"
        assert "hunter22" not in str(refused.value)


@rule("R26")
async def test_anonymous_token_opens_a_public_registry(
    web: NamespaceAccess, responder: Responder
) -> None:
    async def answer(request: server.Request) -> server.Response:
        if request.path == "/token":
            assert "Authorization" not in request.headers
            assert dict(request.query) == {"a": "b", "service": "r", "scope": "repository:m:pull"}
            return server.json_response({"access_token": "t0ken"})
        if request.headers.get("Authorization") != "Bearer t0ken":
            ask = f'Bearer realm="{responder.url}/token?a=b",service="r",scope="repository:m:pull"'
            return server.Response(status=401, headers={"WWW-Authenticate": ask})
        return server.Response(headers={"Docker-Content-Digest": DIGEST})

    responder.handler = answer
    found = await resolved(at(web, responder.url), parse("oci://r/m:1"), None)
    assert found == f"oci://r/m@{DIGEST}"
    assert [method for method, _, _ in responder.requests] == ["HEAD", "GET", "HEAD"]


@rule("R26")
async def test_digest_is_computed_if_the_registry_does_not_name_it(
    web: NamespaceAccess, responder: Responder
) -> None:
    responder.responds("{}")
    found = await resolved(at(web, responder.url), parse("oci://r/m:1"), None)
    empty = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    assert found == f"oci://r/m@sha256:{empty}"
    responder.responds("x" * ((4 << 20) + 1))
    with pytest.raises(Unresolved, match="longer than 4 MiB"):
        await resolved(at(web, responder.url), parse("oci://r/m:1"), None)


@rule("R26", "R31")
@pytest.mark.parametrize(("size", "inside"), [(1 << 10, True), (2 << 20, False)])
async def test_large_manifest_is_hashed_outside_the_event_loop(
    web: NamespaceAccess,
    responder: Responder,
    monkeypatch: pytest.MonkeyPatch,
    size: int,
    inside: bool,
) -> None:
    threads: list[int] = []

    def sha256(content: bytes) -> Any:
        threads.append(threading.get_ident())
        return hashlib.sha256(content)

    monkeypatch.setattr(oci_tag, "hashlib", SimpleNamespace(sha256=sha256))
    responder.responds("x" * size)
    await resolved(at(web, responder.url), parse("oci://r/m:1"), None)
    assert [thread == threading.get_ident() for thread in threads] == [inside]


@rule("R26", "R31")
async def test_words_of_a_token_service_are_not_quoted(
    web: NamespaceAccess, responder: Responder
) -> None:
    """A registry may name any server as its token service."""

    async def answer(request: server.Request) -> server.Response:
        if request.path == "/t":
            return server.Response(status=403, text="words of another server")
        realm = responder.url.replace("//", "//me:a-password@")
        ask = {"WWW-Authenticate": f'Bearer realm="{realm}/t"'}
        return server.Response(status=401, headers=ask)

    responder.handler = answer
    with pytest.raises(Unresolved) as refused:
        await resolved(at(web, responder.url), parse("oci://r/m:1"), None)
    assert refused.value.reason == "SourceAccessDenied"
    host = responder.url.removeprefix("http://")
    assert str(refused.value).endswith(f"its token service {host}: HTTP 403")


@rule("R26", "R31")
@pytest.mark.parametrize(
    ("realm", "body", "reason", "words"),
    [
        ("http://169.254.169.254/t", "", "SourceUnavailable", "169.254.169.254 is not an address"),
        ("ftp://a/t", "", "SourceAccessDenied", "token service"),
        ("", "", "SourceAccessDenied", "token service"),
        ("{url}/t", "[" * 30_000, "SourceUnavailable", "not JSON"),
        ("{url}/t", "x" * (65 << 10), "SourceUnavailable", "longer than 64 KiB"),
        ("{url}/t", "{}", "SourceUnavailable", "without a token"),
        ("{url}/t", json.dumps({"token": "a\r\nHost: b"}), "SourceUnavailable", "without a token"),
        ("{url}/t", json.dumps({"token": ["a"]}), "SourceUnavailable", "without a token"),
    ],
)
async def test_hostile_token_service_is_refused(
    web: NamespaceAccess, responder: Responder, realm: str, body: str, reason: str, words: str
) -> None:
    ask = f'Bearer realm="{realm.format(url=responder.url)}"'

    async def answer(request: server.Request) -> server.Response:
        if request.path == "/t":
            return server.Response(text=body)
        return server.Response(status=401, headers={"WWW-Authenticate": ask})

    responder.handler = answer
    with pytest.raises(Unresolved) as refused:
        await resolved(at(web, responder.url), parse("oci://r/m:1"), LOGIN)
    assert refused.value.reason == reason
    assert words in str(refused.value)


@rule("R26")
async def test_login_is_not_sent_without_tls_by_a_registry_with_tls(
    web: NamespaceAccess, responder: Responder, monkeypatch: pytest.MonkeyPatch
) -> None:
    secure = at(web, "https://registry.example")
    answer = await at(web, responder.url).ask("GET", "/", "a registry")
    asks = type(answer)(401, b"", 0, {"WWW-Authenticate": f'Bearer realm="{responder.url}/t"'})
    sent: list[str] = []

    async def ask(method: str, path: str, what: str, **options: Any) -> Any:
        sent.append(options.get("url") or path)
        return asks

    monkeypatch.setattr(secure, "ask", ask)
    with pytest.raises(Unresolved, match="https:// address of its token service"):
        await resolved(secure, parse("oci://registry.example/m:1"), LOGIN)
    assert sent == ["/v2/m/manifests/1"]


@rule("R26")
@pytest.mark.parametrize(
    ("status", "headers", "reason"),
    [
        (401, {}, "SourceAccessDenied"),
        (401, {"WWW-Authenticate": "Basic"}, "SourceAccessDenied"),
        (403, {}, "SourceAccessDenied"),
        (404, {}, "SourceNotFound"),
        (429, {}, "SourceUnavailable"),
        (500, {}, "SourceUnavailable"),
        (200, {"Docker-Content-Digest": "sha512:abc"}, "SourceUnavailable"),
        (200, {"Docker-Content-Digest": f"{DIGEST}/../x"}, "SourceUnavailable"),
    ],
)
async def test_tag_without_a_digest_has_a_reason(
    web: NamespaceAccess,
    responder: Responder,
    status: int,
    headers: dict[str, str],
    reason: str,
) -> None:
    async def answer(request: server.Request) -> server.Response:
        return server.Response(status=status, headers=headers)

    responder.handler = answer
    with pytest.raises(Unresolved, match="tag '1' of m") as refused:
        await resolved(at(web, responder.url), parse("oci://r/m:1"), None)
    assert refused.value.reason == reason
