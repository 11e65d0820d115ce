"""Requests to Amazon's services, whose signature botocore verifies."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from canarium.core.evidence.measures import Missing, Reading
from canarium.signals import json_metric
from canarium.signals.access import NamespaceAccess
from canarium.signals.endpoint import Endpoint
from canarium.signals.prometheus import query
from canarium.signals.sigv4 import AwsKeys, SigV4Signer
from fetch.answering import wait_for_answer
from fetch.conftest import PYTHON, environment
from sandbox.ports import free_ports

__all__ = ["environment"]
QUERY = 'sum(rate(x{r="{{a}}", s=~"a+b|c/d%2B ü"}[5m])) by (z) / 100 % 3 > bool -1'


@pytest.fixture(scope="module")
def aws() -> Iterator[str]:
    """The address of a workspace of Amazon Managed Service for Prometheus."""
    (port,) = free_ports(1)
    program = Path(__file__).parent / "aws_server.py"
    with subprocess.Popen([str(PYTHON), str(program), str(port)]) as process:
        wait_for_answer(f"http://127.0.0.1:{port}")
        yield f"http://127.0.0.1:{port}/workspaces/ws-1/"
        process.kill()


def endpoint(
    url: str, secret: str = "a-very-secret-key", token: str | None = None, **more: str
) -> Endpoint:
    region, service = more.get("region", "eu-central-1"), more.get("service", "aps")
    signer = SigV4Signer(AwsKeys("AKIDEXAMPLE", secret, token), region, service)
    return Endpoint(url, 10.0, signer=signer, secrets=(secret,))


@pytest.mark.parametrize("token", [None, "FwoGZXIvYXdzE//+=="])
async def test_signature_of_a_query_is_accepted(
    web: NamespaceAccess, aws: str, token: str | None
) -> None:
    found = await query(web, endpoint(aws, token=token), QUERY, time.time())
    assert found == Reading(float(len(QUERY)))


@pytest.mark.parametrize("path", ["", "x//y/../z%20a/b+c,d:e@f/", "ü?a=1&a=0&B=+%2B&c"])
async def test_signature_of_any_address_is_accepted(
    web: NamespaceAccess, aws: str, path: str
) -> None:
    where = endpoint(aws + path)
    for method, body in (("GET", None), ("POST", b'{"a": 1}')):
        headers = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "A.B"}
        answer = await where.request(web, method, headers=headers, body=body)
        assert answer.status == 200, answer


@pytest.mark.parametrize(
    "wrong", [{"secret": "another"}, {"service": "es"}, {"region": "us-east-1"}], ids=str
)
async def test_wrong_signature_is_access_denied_with_the_words_of_the_server(
    web: NamespaceAccess, aws: str, wrong: dict[str, str]
) -> None:
    for found in (
        await query(web, endpoint(aws, **wrong), QUERY, time.time()),
        await json_metric.ask(web, endpoint(aws, **wrong), "$.x"),
    ):
        assert isinstance(found, Missing)
        assert (found.reason, found.error) == ("AccessDenied", True)
        assert found.message.endswith(
            "status 403: the login is refused: The request signature we calculated does not match"
        )
