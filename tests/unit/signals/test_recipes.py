"""The checks of the guide to services, sent to servers that speak the documented interfaces."""

from __future__ import annotations

import copy
import json
import re
import time
import urllib.parse
import urllib.request
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, cast
from xml.etree import ElementTree

import pytest
import pytest_asyncio
import yaml
from aiohttp import web as server
from click.testing import CliRunner

from canarium.api.analysis import Analysis
from canarium.api.effective_analysis import EffectiveCheck, effective_analysis
from canarium.core.decision.plan import AnalysisRequest
from canarium.core.evidence.measures import Missing, Reading, Result
from canarium.core.evidence.windows import Window
from canarium.kube.client import Api
from canarium.signals.access import SharedResources
from canarium.signals.authenticator import Authenticator
from canarium.signals.check_sources import CheckSources
from canarium.signals.endpoint import Endpoint
from canarium.signals.http_client import HttpClient
from canarium.signals.sigv4 import AwsKeys, SigV4Signer
from canarium.signals.target import AnalysisTarget
from canarium.signals.workload_identity import WorkloadIdentity
from canarium_cli.main import cli
from cli.lint.cases import MODEL
from fetch.conftest import S3, environment, s3
from signals.conftest import LOOPBACK, Responder
from signals.secrets_api import Secrets

__all__ = ["environment", "s3"]
GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "metrics-services.md"
REVISION = "abcd2345"
#: What moto lets anyone do: a first GET; create a user, give it rights, and give it a key.
_UNSIGNED = 4


def recipes() -> dict[str, dict[str, Any]]:
    """Each check of the guide, by its name."""
    blocks = re.findall(r"```yaml\n(checks:.*?)```", GUIDE.read_text(), re.S)
    return {check["name"]: check for block in blocks for check in yaml.safe_load(block)["checks"]}


def recipe(name: str, url: str) -> EffectiveCheck:
    """A check of the guide, sent to scheme, host and port of `url` instead."""
    text = re.sub(r'"https://[^/"]+/', f'"{url}/', json.dumps(recipes()[name]))
    analysis = Analysis.model_validate({"checks": [json.loads(text)]})
    return effective_analysis(analysis).checks[0]


def test_guide_has_a_correct_check_for_each_service(tmp_path: Path) -> None:
    assert recipes().keys() == {"drift", "cloudwatch", "google", "azure", "datadog", "queue"}
    model = copy.deepcopy(MODEL)
    model["spec"]["rollout"]["analysis"]["checks"] = list(recipes().values())
    file = tmp_path / "model.yaml"
    file.write_text(yaml.safe_dump(model))
    done = CliRunner().invoke(cli, ["lint", "--strict", str(file)])
    assert (done.exit_code, done.output) == (0, "0 errors, 0 warnings in 1 object\n"), done.output


class Rig:
    """Measures a check of the guide with the Secrets of a test."""

    def __init__(self) -> None:
        self.secrets = Secrets()
        self.shared = SharedResources(HttpClient(LOOPBACK))
        api = cast(Api, self.secrets)
        self.authenticator = Authenticator(api, self.shared.of)
        self._sources = CheckSources(api, self.shared, self.authenticator)

    async def measured(self, check: EffectiveCheck, revision: str = REVISION) -> Result:
        target = AnalysisTarget("risk", "fraud", None)
        now = time.time()
        request = AnalysisRequest(revision, "stable22", now - 120)
        return await self._sources.measure(
            target, request, check, revision, Window(), now - 120, now
        )


@pytest_asyncio.fixture
async def rig() -> AsyncIterator[Rig]:
    made = Rig()
    yield made
    await made.authenticator.close()
    await made.shared.close()


class Datadog:
    """The endpoint "Query timeseries points" (GET /api/v1/query)."""

    def __init__(self) -> None:
        self.points: list[list[float]] | None = [[1.7e12, 0.31], [1.7e12 + 60_000, 0.27]]

    async def handle(self, request: server.Request) -> server.Response:
        keys = [request.headers.get(x) for x in ("DD-API-KEY", "DD-APPLICATION-KEY")]
        if keys != ["k3y-api", "k3y-app"]:
            return server.json_response({"errors": ["Forbidden"]}, status=403)
        start, end = int(request.query["from"]), int(request.query["to"])
        query = request.query["query"]
        wrong = (request.method, request.path, end - start) != ("GET", "/api/v1/query", 120)
        if wrong or query != f"avg:model.latency{{revision:{REVISION}}}.rollup(avg,60)":
            return server.json_response({"errors": ["Invalid query"]}, status=400)
        series = {"metric": "model.latency", "interval": 60, "pointlist": self.points}
        body = {"status": "ok", "series": [series] if self.points else [], "query": query}
        return server.json_response(body)


async def test_datadog(rig: Rig, responder: Responder) -> None:
    datadog = Datadog()
    responder.handler = datadog.handle
    check = recipe("datadog", responder.url)
    rig.secrets.stored["datadog"] = {"api-key": b"k3y-api\n", "app-key": b"k3y-app"}
    assert await rig.measured(check) == Reading(0.27)
    datadog.points = None
    found = await rig.measured(check)
    assert isinstance(found, Missing)
    assert (found.reason, found.error) == ("NoMatch", False)
    rig.secrets.stored["datadog"] = {"api-key": b"k3y-api", "app-key": b"k3y-other"}
    found = await rig.measured(check)
    assert isinstance(found, Missing)
    assert found.reason == "AccessDenied"
    assert "k3y" not in found.message


class Aws:
    """moto, which verifies signatures by botocore and rights by policies, with one user."""

    def __init__(self, moto: S3) -> None:
        self.url = moto.url
        self._iam("CreateUser", UserName="reader")
        # moto names actions after the service in signatures, AWS after the service itself.
        allowed = {"Effect": "Allow", "Action": "monitoring:*", "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
        self._iam("PutUserPolicy", UserName="reader", PolicyName="a", PolicyDocument=policy)
        root = ElementTree.fromstring(self._iam("CreateAccessKey", UserName="reader"))
        found = {each.tag.rpartition("}")[2]: each.text or "" for each in root.iter()}
        self.keys = AwsKeys(found["AccessKeyId"], found["SecretAccessKey"])

    def _iam(self, action: str, **fields: str) -> bytes:
        body = urllib.parse.urlencode({"Action": action, "Version": "2010-05-08", **fields})
        request = urllib.request.Request(f"{self.url}/", body.encode())
        scope = "Credential=A/20260101/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=0"
        request.add_header("Authorization", f"AWS4-HMAC-SHA256 {scope}")
        with urllib.request.urlopen(request, timeout=30) as answer:
            content: bytes = answer.read()
        return content

    def secret(self, **changed: str) -> dict[str, bytes]:
        keys = {
            "AWS_ACCESS_KEY_ID": self.keys.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.keys.secret_access_key,
            **changed,
        }
        return {name: value.encode() for name, value in keys.items()}

    async def put(self, rig: Rig, revision: str, *values: float) -> None:
        """Publishes values of the metric that the guide queries."""
        signer = SigV4Signer(self.keys, "eu-central-1", "monitoring")
        dimensions = [{"Name": "Revision", "Value": revision}]
        at = time.time() - 60
        data = [
            {"MetricName": "Error", "Dimensions": dimensions, "Timestamp": at, "Value": value}
            for value in values
        ]
        answer = await Endpoint(f"{self.url}/", 10.0, signer=signer).request(
            rig.shared.of("risk"),
            "POST",
            headers={
                "Content-Type": "application/x-amz-json-1.0",
                "X-Amz-Target": "GraniteServiceVersion20100801.PutMetricData",
            },
            body=json.dumps({"Namespace": "Models", "MetricData": data}).encode(),
        )
        assert answer.status == 200, answer.body


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory, environment: None) -> Iterator[Aws]:
    moto = S3(tmp_path_factory.mktemp("aws") / "log", INITIAL_NO_AUTH_ACTION_COUNT=str(_UNSIGNED))
    moto.start()
    try:
        yield Aws(moto)
    finally:
        moto.kill()


@pytest.mark.slow
async def test_cloudwatch(rig: Rig, aws: Aws) -> None:
    check = recipe("cloudwatch", aws.url)
    rig.secrets.stored["aws"] = aws.secret()
    await aws.put(rig, REVISION, 0.0, 1.0, 0.0, 0.0)
    assert await rig.measured(check) == Reading(0.25, samples=4.0)
    found = await rig.measured(check, "stable22")
    assert isinstance(found, Missing)
    assert (found.reason, found.error) == ("NoMatch", False)


@pytest.mark.slow
@pytest.mark.parametrize("changed", ["AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID"])
async def test_cloudwatch_refuses_another_key(rig: Rig, aws: Aws, changed: str) -> None:
    rig.secrets.stored["aws"] = aws.secret(**{changed: "AKIAANOTHER"})
    found = await rig.measured(recipe("cloudwatch", aws.url))
    assert isinstance(found, Missing)
    assert (found.reason, found.error) == ("AccessDenied", True)
    assert found.message == f"{aws.url}: status 403: the login is refused"


@pytest.mark.slow
async def test_role_is_assumed_at_the_sts_of_moto(s3: S3, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("federated-token")
    variables = {
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(token),
        "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/canarium",
        "AWS_ENDPOINT_URL_STS": s3.url,
    }
    identity = WorkloadIdentity(environment=variables)
    try:
        keys, _ = await identity.aws()
    finally:
        await identity.close()
    assert keys.access_key_id.startswith("ASIA")
    assert keys.session_token
