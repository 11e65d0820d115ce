"""What platforms configure for fetchers: requests about their sources respect it (R26)."""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from canarium.core.facts.resolution import ResolveRequest
from canarium.sources.platform import Platform
from canarium.sources.registries import Registries
from http_server import HttpServer
from sandbox.pki import Authority
from signals.conftest import Responder
from sources.rig import KEY, SourceRig

rule = pytest.mark.rule


@pytest_asyncio.fixture
async def rig() -> AsyncIterator[SourceRig]:
    made = SourceRig()
    yield made
    await made.close()


@rule("R26")
async def test_platform_names_the_hub_of_models_that_name_none(
    rig: SourceRig, responder: Responder
) -> None:
    responder.responds(json.dumps({"sha": "c" * 40}))
    platform = Platform.of({"HF_ENDPOINT": f"{responder.url}/mirror", "HF_TOKEN": "hf_platform"})
    registries = Registries(rig.api, rig.shared.of, rig.timing.clock, platform=platform)
    rig.secrets.stored["read"] = {"HF_TOKEN": b"hf_own"}
    for secret, token in ((None, "hf_platform"), ("read", "hf_own")):
        await registries.resolve(KEY, ResolveRequest("hf://o/m", "", secret, "1"))
        assert responder.headers[-1]["Authorization"] == f"Bearer {token}"
    assert {path for _, path, _ in responder.requests} == {
        "/mirror/api/models/o/m/revision/main?expand=sha"
    }


@rule("R26")
async def test_registry_is_reached_through_the_proxy_of_the_platform(
    rig: SourceRig, responder: Responder
) -> None:
    responder.responds(json.dumps({"sha": "c" * 40}))
    platform = Platform.of({"HTTP_PROXY": responder.url, "NO_PROXY": "inside.invalid,.cluster"})
    registries = Registries(rig.api, rig.shared.of, rig.timing.clock, platform=platform)
    for host, found in (("hub.invalid", True), ("inside.invalid", False), ("a.cluster", False)):
        wanted = ResolveRequest("hf://o/m", f"http://{host}", None, "1")
        assert bool((await registries.resolve(KEY, wanted)).uri) is found
    assert {headers["Host"] for headers in responder.headers} == {"hub.invalid"}
    wanted = ResolveRequest("hf://o/m", "http://169.254.169.254", None, "1")
    assert "not an address" in (await registries.resolve(KEY, wanted)).message
    assert len(responder.requests) == 1


@rule("R26")
@pytest.mark.parametrize(
    ("environment", "url", "proxy"),
    [
        ({"HTTPS_PROXY": "proxy:3128"}, "https://huggingface.co/a", "http://proxy:3128"),
        ({"https_proxy": "http://p", "HTTPS_PROXY": "http://q"}, "https://h", "http://p"),
        ({"HTTPS_PROXY": "http://p"}, "http://h", None),
        ({"ALL_PROXY": "http://p"}, "http://h", "http://p"),
        ({"ALL_PROXY": "http://p", "NO_PROXY": "*"}, "http://h", None),
        ({"ALL_PROXY": "http://p", "no_proxy": "h:5000"}, "http://h:5000/v2/", None),
        ({"ALL_PROXY": "http://p", "NO_PROXY": "example"}, "http://a.example", None),
        ({"ALL_PROXY": "http://p", "NO_PROXY": ",example"}, "http://anexample", "http://p"),
        ({"ALL_PROXY": "http://p", "NO_PROXY": "a, 10.0.0.0/8"}, "http://10.1.2.3:80", None),
        ({"ALL_PROXY": "http://p"}, "http://[", None),
        ({}, "https://h", None),
    ],
)
def test_proxy_is_chosen_as_by_the_libraries_of_the_fetcher(
    environment: dict[str, str], url: str, proxy: str | None
) -> None:
    assert Platform.of(environment).proxy(url) == proxy
    assert Platform.of(environment).hub == "https://huggingface.co"


@rule("R26")
async def test_authorities_of_the_platform_are_trusted_beside_those_of_the_secret(
    rig: SourceRig, responder: Responder, tmp_path: Path
) -> None:
    """Each of two hubs has a certificate of another authority."""
    responder.responds(json.dumps({"sha": "c" * 40}))
    platform = Platform.of({}, ("company-ca", "bundle.pem"))
    registries = Registries(rig.api, rig.shared.of, rig.timing.clock, platform=platform)
    urls = []
    for name in ("company", "own"):
        authority = Authority(tmp_path / name)
        authority.make()
        authority.serving("hub", ["127.0.0.1"], [])
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*authority.pair("hub"))
        listening = HttpServer(responder.answer, tls=context)
        await listening.start()
        urls.append((listening, authority.certificate.read_text()))
    (company, bundle), (own, certificate) = urls
    requests = [
        ResolveRequest("hf://o/m", server.url.replace("http", "https"), secret, "1")
        for server, secret in ((company, None), (company, "own"), (own, "own"))
    ]
    missing = await registries.resolve(KEY, requests[0])
    assert missing.message.startswith("ConfigMap/company-ca: ")
    rig.secrets.config_maps["company-ca"] = {"bundle.pem": bundle}
    rig.secrets.stored["own"] = {"ca.crt": certificate.encode()}
    for wanted in requests:
        found = await registries.resolve(KEY, wanted)
        assert found.uri == f"hf://o/m@{'c' * 40}", found.message
    untrusted = await registries.resolve(KEY, replace(requests[2], secret=None))
    assert "certificate is not trusted" in untrusted.message
    for listening, _ in urls:
        await listening.stop()


@rule("R26", "R31")
@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({}, "its key bundle.pem is missing"),
        ({"bundle.pem": "no certificate"}, "bundle.pem is not a certificate in PEM"),
        ({"bundle.pem": "x" * (512 << 10) + "x"}, "is larger than 512 KiB"),
    ],
)
async def test_authorities_that_cannot_be_used_are_named(
    rig: SourceRig, content: dict[str, str], words: str
) -> None:
    rig.secrets.config_maps["company-ca"] = content
    platform = Platform.of({}, ("company-ca", "bundle.pem"))
    registries = Registries(rig.api, rig.shared.of, rig.timing.clock, platform=platform)
    found = await registries.resolve(KEY, ResolveRequest("hf://o/m", "https://h", None, "1"))
    assert found.reason == "SourceAccessDenied"
    assert found.message.startswith("ConfigMap/company-ca: ")
    assert words in found.message


@pytest.mark.slow
@rule("R31")
async def test_memory_of_certificates_is_bounded_and_equal_ones_count_once(rig: SourceRig) -> None:
    platform = Platform.of({}, ("company-ca", "bundle.pem"))
    registries = Registries(rig.api, rig.shared.of, rig.timing.clock, platform=platform)
    for number in range(200):
        text = f"{'company' if number % 2 else number}".ljust(300 << 10)
        rig.secrets.config_maps["company-ca"] = {"bundle.pem": text}
        wanted = ResolveRequest("hf://o/m", "https://127.0.0.1:1", None, "1")
        await registries.resolve((f"team-{number}", "m"), wanted)
    assert 15 << 20 < registries._size <= 16 << 20
    assert len(registries._logins) > 100, "54 without sharing"
