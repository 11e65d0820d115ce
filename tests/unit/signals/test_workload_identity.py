"""The operator's own identity: its source, and that it is sent only where it is allowed."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qs

import pytest
import pytest_asyncio
from aiohttp import web as server

from canarium.api.authentication import Authentication, SigV4
from canarium.api.reasons import CheckReason
from canarium.kube.client import Api
from canarium.kube.clock import Timing
from canarium.signals.access import SharedResources
from canarium.signals.authenticator import Authenticator
from canarium.signals.credentials import Unavailable
from canarium.signals.default_prometheus import DefaultPrometheus
from canarium.signals.endpoint import Endpoint
from canarium.signals.http_client import HttpClient
from canarium.signals.workload_identity import WorkloadIdentity, azure_scope
from http_server import HttpServer
from idle import Clock
from sandbox.pki import Authority
from signals.conftest import LOOPBACK, Responder
from signals.secrets_api import Secrets

rule = pytest.mark.rule
AWS = {"workloadIdentity": "AWS", "sigV4": {"region": "eu-central-1", "service": "aps"}}
AZURE, GOOGLE = {"workloadIdentity": "Azure"}, {"workloadIdentity": "Google"}
HOSTS = (("AWS", "aws.test"), ("Azure", "azure.test"), ("Google", "google.test"))
NOW = 1_767_225_600.0  # 2026-01-01T00:00:00Z
ASSUMED = """<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <AssumeRoleWithWebIdentityResult>
    <AssumedRoleUser><Arn>arn:aws:sts::1:assumed-role/a/b</Arn></AssumedRoleUser>
    <Credentials>
      <SessionToken>session</SessionToken><SecretAccessKey>secret</SecretAccessKey>
      <Expiration>2026-01-01T01:00:00Z</Expiration><AccessKeyId>ASIA</AccessKeyId>
    </Credentials>
  </AssumeRoleWithWebIdentityResult>
</AssumeRoleWithWebIdentityResponse>"""
REFUSED = """<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error>
  <Type>Sender</Type><Code>AccessDenied</Code>
  <Message>Not authorized to perform sts:AssumeRoleWithWebIdentity</Message>
</Error></ErrorResponse>"""
AGENT = """{"AccessKeyId": "ASIA", "SecretAccessKey": "secret", "Token": "session",
  "AccountId": "1", "Expiration": "2026-01-01T06:00:00Z"}"""
TOKEN = '{"access_token": "t0ken", "expires_in": 3599, "token_type": "Bearer"}'


class Rig:
    """A pod whose environment names the responder as the platform."""

    def __init__(self, responder: Responder, folder: Path) -> None:
        self.responder = responder
        file = folder / "token"
        file.write_text("federated-token\n")
        self.variables = {
            "AWS_WEB_IDENTITY_TOKEN_FILE": str(file),
            "AWS_ROLE_ARN": "arn:aws:iam::1:role/canarium",
            "AWS_ENDPOINT_URL_STS": f"{responder.url}/",
            "AZURE_AUTHORITY_HOST": f"{responder.url}/",
            "AZURE_TENANT_ID": "tenant",
            "AZURE_CLIENT_ID": "client",
            "AZURE_FEDERATED_TOKEN_FILE": str(file),
            "GCE_METADATA_HOST": f"127.0.0.1:{responder.port}",
        }
        self.clock = Clock()
        timing = Timing(clock=self.clock, now=lambda: NOW)
        self.shared = SharedResources(HttpClient(LOOPBACK))
        identity = WorkloadIdentity(HOSTS, timing, self.variables)
        api = cast(Api, Secrets())
        self.authenticator = Authenticator(api, self.shared.of, timing, identity)

    async def endpoint(self, authentication: dict[str, Any], url: str) -> Endpoint:
        settings = Authentication.model_validate(authentication)
        return await self.authenticator.endpoint("risk", url, settings, 10.0)

    async def refusal(self, authentication: dict[str, Any], url: str) -> Unavailable:
        with pytest.raises(Unavailable) as caught:
            await self.endpoint(authentication, url)
        return caught.value


@pytest_asyncio.fixture
async def rig(responder: Responder, tmp_path: Path) -> AsyncIterator[Rig]:
    made = Rig(responder, tmp_path)
    yield made
    await made.authenticator.close()
    await made.shared.close()


@rule("R31")
@pytest.mark.parametrize("authentication", [AWS, AZURE, GOOGLE], ids=["AWS", "Azure", "Google"])
@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://tenant.example/", "is not a host for the operator's identity"),
        ("https://{host}.tenant.example/", "is not a host for the operator's identity"),
        ("https://{host}@tenant.example/", "is not a host for the operator's identity"),
        ("https://tenant.example/{host}", "is not a host for the operator's identity"),
        ("https://x.{host}/", "is not a host for the operator's identity"),
        ("https://other{host}/", "is not a host for the operator's identity"),
        ("https://127.0.0.1/", "is not a host for the operator's identity"),
        ("http://{host}/", "sent only by https"),
        ("https://{host}:8443/", "sent only by https, to port 443"),
    ],
)
async def test_identity_is_not_used_at_an_address_that_no_administrator_allows(
    rig: Rig, authentication: dict[str, Any], url: str, said: str
) -> None:
    host = f"{str(authentication['workloadIdentity']).lower()}.test"
    refusal = await rig.refusal(authentication, url.format(host=host))
    assert refusal.reason == CheckReason.ADDRESS_REFUSED
    assert said in str(refusal)
    assert rig.responder.requests == []


async def test_host_of_one_cloud_is_none_for_the_identity_at_another(rig: Rig) -> None:
    refusal = await rig.refusal(GOOGLE, "https://azure.test/")
    assert "not a host for the operator's identity at Google" in str(refusal)


async def test_role_of_the_serviceaccount_is_assumed_for_a_signature(rig: Rig) -> None:
    rig.responder.responds(ASSUMED)
    endpoint = await rig.endpoint(AWS, "https://AWS.test./workspaces/ws-1")
    assert endpoint.signer is not None
    keys = endpoint.signer.keys
    assert (keys.access_key_id, keys.secret_access_key, keys.session_token) == (
        "ASIA", "secret", "session",
    )  # fmt: skip
    assert (endpoint.signer.region, endpoint.signer.service) == ("eu-central-1", "aps")
    assert endpoint.secrets == ("secret", "session")
    ((method, path, body),) = rig.responder.requests
    assert (method, path) == ("POST", "/")
    assert parse_qs(body.decode()) == {
        "Action": ["AssumeRoleWithWebIdentity"],
        "Version": ["2011-06-15"],
        "RoleArn": ["arn:aws:iam::1:role/canarium"],
        "RoleSessionName": ["canarium"],
        "WebIdentityToken": ["federated-token"],
    }


async def test_agent_of_eks_is_asked_where_no_role_is_named(rig: Rig, tmp_path: Path) -> None:
    del rig.variables["AWS_WEB_IDENTITY_TOKEN_FILE"]
    rig.variables["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = f"{rig.responder.url}/v1/credentials"
    rig.variables["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] = str(tmp_path / "token")
    rig.responder.responds(AGENT)
    endpoint = await rig.endpoint(AWS, "https://aws.test/")
    assert endpoint.signer is not None
    assert endpoint.signer.keys.session_token == "session"
    assert rig.responder.requests == [("GET", "/v1/credentials", b"")]
    assert rig.responder.headers[0]["Authorization"] == "federated-token"


async def test_token_of_azure_is_for_the_host_alone(rig: Rig) -> None:
    rig.responder.responds(TOKEN)
    endpoint = await rig.endpoint(AZURE, "https://azure.test/")
    assert endpoint.headers == {"Authorization": "Bearer t0ken"}
    ((method, path, body),) = rig.responder.requests
    assert (method, path) == ("POST", "/tenant/oauth2/v2.0/token")
    assert parse_qs(body.decode()) == {
        "client_id": ["client"],
        "scope": ["https://azure.test/.default"],
        "grant_type": ["client_credentials"],
        "client_assertion_type": ["urn:ietf:params:oauth:client-assertion-type:jwt-bearer"],
        "client_assertion": ["federated-token"],
    }


@pytest.mark.parametrize(
    ("host", "scope"),
    [
        ("m-ab.westeurope.prometheus.monitor.azure.com", "prometheus.monitor.azure.com"),
        ("m-ab.chinanorth3.prometheus.monitor.azure.cn", "prometheus.monitor.azure.cn"),
        ("management.azure.com", "management.azure.com"),
        ("prometheus.monitor.evil.example", "prometheus.monitor.evil.example"),
    ],
)
def test_audience_of_azure_follows_from_the_host(host: str, scope: str) -> None:
    assert azure_scope(host) == f"https://{scope}/.default"


async def test_token_of_google_can_only_read_metrics(rig: Rig) -> None:
    rig.responder.responds(TOKEN)
    endpoint = await rig.endpoint(GOOGLE, "https://google.test/v1/projects/a")
    assert endpoint.headers == {"Authorization": "Bearer t0ken"}
    ((method, path, _),) = rig.responder.requests
    assert (method, path.partition("?")[0]) == (
        "GET", "/computeMetadata/v1/instance/service-accounts/default/token",
    )  # fmt: skip
    scope = "https://www.googleapis.com/auth/monitoring.read"
    assert parse_qs(path.partition("?")[2]) == {"scopes": [scope]}
    assert rig.responder.headers[0]["Metadata-Flavor"] == "Google"


async def test_credentials_are_shared_by_all_models_until_they_expire(rig: Rig) -> None:
    rig.responder.responds(ASSUMED)
    await asyncio.gather(*(rig.endpoint(AWS, "https://aws.test/") for _ in range(20)))
    rig.clock.now += 3600 - 61
    endpoint = await rig.endpoint(AWS, "https://aws.test/")
    assert len(rig.responder.requests) == 1
    assert endpoint.refused is not None
    endpoint.refused(401)
    await rig.endpoint(AWS, "https://aws.test/")
    rig.clock.now += 3600 - 59
    await rig.endpoint(AWS, "https://aws.test/")
    assert len(rig.responder.requests) == 3


@rule("R31")
@pytest.mark.parametrize("authentication", [AWS, AZURE, GOOGLE], ids=["AWS", "Azure", "Google"])
@pytest.mark.parametrize(
    ("status", "age", "requests"), [(403, 3000.0, 1), (401, 59.0, 1), (401, 60.0, 2)]
)
async def test_refused_request_of_one_model_does_not_renew_the_identity_of_all(
    rig: Rig, authentication: dict[str, Any], status: int, age: float, requests: int
) -> None:
    """A model chooses the path, so each of its checks can be refused."""
    rig.responder.responds(ASSUMED if authentication is AWS else TOKEN)
    url = f"https://{str(authentication['workloadIdentity']).lower()}.test/"
    endpoint = await rig.endpoint(authentication, url)
    rig.clock.now += age
    rig.responder.responds("no", status)
    there = replace(endpoint, url=rig.responder.url)
    await there.request(rig.shared.of("risk"), "GET", "/denied")
    rig.responder.responds(ASSUMED if authentication is AWS else TOKEN)
    await rig.endpoint(authentication, url)
    assert len(rig.responder.requests) == 1 + requests


@rule("R17")
@pytest.mark.parametrize("url", ["https://[x/", "https://aws.test:abc/", "https://aws.test:0/"])
async def test_url_that_is_invalid_is_named(rig: Rig, url: str) -> None:
    refusal = await rig.refusal(AWS, url)
    assert (str(refusal), refusal.reason) == ("url is not a valid URL", CheckReason.INVALID_QUERY)
    assert rig.responder.requests == []


@rule("R17", "R29")
@pytest.mark.parametrize(
    ("authentication", "status", "body", "reason", "said"),
    [
        (AWS, 403, REFUSED, "AccessDenied",
         "status 403: AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity"),
        (AWS, 500, "<html>", "QueryFailed", "status 500"),
        (AWS, 200, "<a>", "InvalidAnswer", "the answer has no usable access key"),
        (AWS, 200, ASSUMED.replace("2026-01", "soon"), "InvalidAnswer", "no usable access key"),
        (AZURE, 401, '{"error": "invalid_client", "error_description": "federated-token expired"}',
         "AccessDenied", "status 401: invalid_client: [redacted] expired"),
        (GOOGLE, 404, "not found", "QueryFailed", "status 404"),
        (GOOGLE, 200, "{}", "InvalidAnswer", "the answer has no usable access_token"),
    ],
)  # fmt: skip
async def test_platform_that_refuses_is_reported_with_its_words(
    rig: Rig, authentication: dict[str, Any], status: int, body: str, reason: str, said: str
) -> None:
    rig.responder.responds(body, status)
    host = f"https://{str(authentication['workloadIdentity']).lower()}.test/"
    refusal = await rig.refusal(authentication, host)
    assert (refusal.reason, said in str(refusal)) == (reason, True), refusal


@pytest.mark.parametrize(
    ("authentication", "absent"),
    [
        (AWS, "AWS_WEB_IDENTITY_TOKEN_FILE"),
        (AWS, "AWS_ROLE_ARN"),
        (AZURE, "AZURE_TENANT_ID"),
        (AZURE, "AZURE_CLIENT_ID"),
        (AZURE, "AZURE_FEDERATED_TOKEN_FILE"),
    ],
)
async def test_pod_without_an_identity_names_the_variable(
    rig: Rig, authentication: dict[str, Any], absent: str
) -> None:
    del rig.variables[absent]
    cloud = str(authentication["workloadIdentity"])
    refusal = await rig.refusal(authentication, f"https://{cloud.lower()}.test/")
    assert refusal.reason == CheckReason.INVALID_CREDENTIALS
    assert str(refusal).startswith(f"the operator's pod has no identity at {cloud}: {absent}")


async def test_token_that_cannot_be_read_is_named(rig: Rig) -> None:
    rig.variables["AZURE_FEDERATED_TOKEN_FILE"] = "/nowhere"
    refusal = await rig.refusal(AZURE, "https://azure.test/")
    assert str(refusal) == "the token /nowhere of the operator's pod cannot be read"


@pytest.mark.parametrize(
    ("settings", "login"),
    [
        (("AWS", SigV4(region="eu-central-1", service="aps")), "AWS4-HMAC-SHA256 Credential=ASIA/"),
        (("Google", None), "Bearer t0ken"),
    ],
    ids=["AWS", "Google"],
)
async def test_prometheus_of_the_operator_is_queried_with_its_identity_and_no_other_url(
    rig: Rig, settings: tuple[str, SigV4 | None], login: str
) -> None:
    """Its host is not one at which checks may use the identity."""
    rig.responder.responds(ASSUMED if settings[0] == "AWS" else TOKEN)
    url = f"{rig.responder.url}/workspaces/ws-1"
    default = DefaultPrometheus(url, identity=settings, namespace_parameter="namespace")
    endpoint = await default.endpoint("risk", None, rig.authenticator)
    await endpoint.request(rig.shared.of("risk"), "GET", "/api/v1/query", query={"query": "a b"})
    (_, path, _), headers = rig.responder.requests[-1], rig.responder.headers[-1]
    assert headers["Authorization"].startswith(login)
    assert parse_qs(path.partition("?")[2]) == {"query": ["a b"], "namespace": ["risk"]}
    asked = AWS if settings[0] == "AWS" else GOOGLE
    assert "is not a host" in str(await rig.refusal(asked, url.replace("http", "https")))


async def test_token_is_sent_over_tls_to_the_allowed_host(rig: Rig, tmp_path: Path) -> None:
    """The whole way, with a name and a port of loopback for those of the cloud."""
    rig.responder.responds(TOKEN)
    endpoint = await rig.endpoint(GOOGLE, "https://google.test/v1/")
    assert endpoint.tls is None, "the trust of the system applies"
    authority = Authority(tmp_path / "pki")
    authority.make()
    authority.serving("google", ["127.0.0.1"], ["localhost"])
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*authority.pair("google"))
    sent = []

    async def google(request: server.BaseRequest) -> server.Response:
        sent.append(request.headers["Authorization"])
        return server.Response()

    async with HttpServer(google, tls=context) as listening:
        trust = ssl.create_default_context(cafile=str(authority.certificate))
        there = replace(endpoint, url=f"https://127.0.0.1:{listening.port}/", tls=trust)
        await there.request(rig.shared.of("risk"), "GET", "/v1/")
    assert sent == ["Bearer t0ken"]
