"""A status is read by more people than a Secret: what must not be in it is not."""

from __future__ import annotations

import json

import pytest
from aiohttp import web as server

from canarium.core.evidence.measures import Missing
from canarium.signals import json_metric, smoke
from canarium.signals.access import NamespaceAccess
from canarium.signals.endpoint import Endpoint
from canarium.signals.prometheus import query
from canarium.signals.redaction import HIDDEN, redacted, shown
from canarium.signals.smoke import Target
from signals.conftest import Responder, smoke_test


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://prometheus:9090/api", "http://prometheus:9090"),
        ("https://me:pa55@host:1/x?token=t0ken#part", "https://host:1"),
        ("http:x?t=SECRET", HIDDEN),
        ("host/x?t=SECRET", HIDDEN),
        ("http://[::1", HIDDEN),
    ],
)
def test_address_is_shown_without_login_and_query(url: str, said: str) -> None:
    assert shown(url) == said


def test_secret_is_hidden_whole_with_and_without_its_scheme() -> None:
    said = "server refused 'Bearer s3cret-token', token s3cret-token"
    assert redacted(said, ["Bearer s3cret-token"]) == (f"server refused '{HIDDEN}', token {HIDDEN}")
    assert redacted("a 1 b", ["1", ""]) == "a 1 b"
    assert redacted("login refused for hunter2", ["hunter2\n"]) == f"login refused for {HIDDEN}"


@pytest.mark.parametrize("cut", [8, 20, 39])
def test_part_of_a_secret_at_the_end_of_a_shortened_quotation_is_hidden(cut: int) -> None:
    secret = "tok-0123456789abcdefghijklmnopqrstuvwxyz"
    assert redacted(f"invalid token {secret[:cut]}…", [secret]) == f"invalid token {HIDDEN}…"
    assert redacted(f"{secret[:cut]}{secret}", [secret]) == HIDDEN * 2
    assert redacted("tok-012 and others", [secret]) == "tok-012 and others"


async def test_server_that_is_down_is_named_without_its_login(web: NamespaceAccess) -> None:
    url = "http://me:pa55word@127.0.0.1:1/?key=k3y-of-mine"
    for found in (
        await query(web, Endpoint(url, 10.0), "up", 1.0),
        await json_metric.ask(web, Endpoint(url, 10.0), "$.x"),
        await json_metric.ask(web, Endpoint(f"{url}\x00", 10.0), "$.x"),
    ):
        assert isinstance(found, Missing)
        assert "pa55word" not in found.message
        assert "k3y-of-mine" not in found.message
        assert "127.0.0.1:1" in found.message


async def test_header_repeated_by_a_pod_is_redacted(
    web: NamespaceAccess, responder: Responder
) -> None:
    async def handler(request: server.Request) -> server.Response:
        return server.Response(text=json.dumps({"said": request.headers["Authorization"]}))

    responder.handler = handler
    test = smoke_test(
        {
            "path": "/predict",
            "headers": {"Authorization": "Bearer s3cret-token"},
            "expect": {"json": [{"path": "$.said", "value": "fine"}]},
        }
    )
    target = Target("pod-a", "127.0.0.1", responder.port)
    failed = await smoke.run(web, [test], [target], bodies={}, predict_path=None)
    assert failed is not None
    assert "s3cret-token" not in failed.message
    assert HIDDEN in failed.message
