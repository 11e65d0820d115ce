"""A Prometheus that is down, lies, or is asked nonsense: never a value without evidence (R17)."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from canarium.core.evidence.measures import Missing, Reading
from canarium.signals.access import NamespaceAccess
from canarium.signals.endpoint import Endpoint
from canarium.signals.prometheus import query
from canarium.signals.query_template import BadTemplate, filled
from signals.conftest import Responder

rule = pytest.mark.rule
NOW = 1_000_000.0


def vector(*values: tuple[float, str]) -> dict[str, Any]:
    rows = [{"metric": {}, "value": [at, value]} for at, value in values]
    return {"status": "success", "data": {"resultType": "vector", "result": rows}}


async def asked(web: NamespaceAccess, responder: Responder, body: Any, status: int = 200) -> Any:
    responder.responds(body if isinstance(body, str) else json.dumps(body), status)
    return await query(web, Endpoint(responder.url, 10.0, {"Authorization": "Bearer s"}), "up", NOW)


async def test_value_of_one_series_is_read(web: NamespaceAccess, responder: Responder) -> None:
    assert await asked(web, responder, vector((NOW, "0.25"))) == Reading(0.25)
    (_, path, _), headers = responder.requests[0], responder.headers[0]
    assert parse_qs(urlsplit(path).query) == {"query": ["up"], "time": ["1000000.000"]}
    assert headers["Authorization"] == "Bearer s"


@rule("R17")
@pytest.mark.parametrize(
    ("body", "reason", "said", "error"),
    [
        (vector(), "NoData", "no value", False),
        (vector((NOW - 600, "0.1")), "NoData", "600s old", False),
        (vector((NOW, "1"), (NOW, "2")), "InvalidQuery", "2 series", True),
        ({"status": "success", "data": {"resultType": "matrix", "result": []}},
         "InvalidQuery", "matrix", True),
        ({"status": "error", "errorType": "bad_data", "error": "parse error: unexpected end"},
         "InvalidQuery", "parse error: unexpected end", True),
        ({"status": "error", "errorType": "timeout", "error": "too slow"},
         "QueryFailed", "too slow", True),
        ("<html>a proxy</html>", "QueryFailed", "not ", True),
        ({"status": "success", "data": {"resultType": "vector", "result": [{}]}},
         "QueryFailed", "not ", True),
    ],
    ids=lambda x: str(x)[:30],
)  # fmt: skip
async def test_false_or_failed_response_is_not_a_value(
    web: NamespaceAccess, responder: Responder, body: Any, reason: str, said: str, error: bool
) -> None:
    found = await asked(web, responder, body)
    assert isinstance(found, Missing)
    assert (found.reason, found.error) == (reason, error)
    assert said in found.message


@rule("R17", "R21")
@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize(
    ("headers", "said"),
    [({"Authorization": "Bearer s"}, "the login is refused"), ({}, "authentication.secretName")],
)
async def test_server_that_refuses_the_login_is_named(
    web: NamespaceAccess, responder: Responder, status: int, headers: dict[str, str], said: str
) -> None:
    responder.responds("Unauthorized\n", status)
    found = await query(web, Endpoint(responder.url, 10.0, headers), "up", NOW)
    assert isinstance(found, Missing)
    assert (found.reason, found.error) == ("AccessDenied", True)
    assert f"status {status}: " in found.message
    assert said in found.message


@rule("R17")
async def test_server_that_is_down_is_an_error(web: NamespaceAccess) -> None:
    found = await query(web, Endpoint("http://127.0.0.1:1", 10.0), "up", NOW)
    assert isinstance(found, Missing)
    assert (found.reason, found.error) == ("Unreachable", True)


def test_query_template_leaves_other_braces() -> None:
    body = '{"a": {"b": [{"c": "{{revision}}"}]}}'
    assert filled(body, {"revision": "abc"}) == '{"a": {"b": [{"c": "abc"}]}}'
    assert filled("{{ a }}", {"a": "{{ a }}"}) == "{{ a }}", "values are not searched again"


def test_query_template_substitutes_only_names() -> None:
    names = {"revision": "abc", "namespace": "risk"}
    assert filled('x{r="{{ revision }}"}', names) == 'x{r="abc"}'
    for text in (
        "{{ nope }}",
        "{{ revision",
        "{{ revision.upper() }}",
        "{{ ''.__class__ }}",
        "{% for i in [1] %}{% endfor %}",
        "{{ revision * 1000 }}",
        "{{ range(9) }}",
        "{{{{ revision }}",
        "{{" + " " * 5000 + "revision }}",
        "{" * 16_384,
    ):
        with pytest.raises(BadTemplate):
            filled(text, names)
