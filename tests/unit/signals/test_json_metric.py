"""A number from any JSON service."""

from __future__ import annotations

import pytest

from canarium.core.evidence.measures import Missing, Reading
from canarium.signals.access import NamespaceAccess
from canarium.signals.endpoint import Endpoint
from canarium.signals.json_metric import ask
from signals.conftest import Responder


async def test_number_and_its_observations_are_read(
    web: NamespaceAccess, responder: Responder
) -> None:
    responder.responds('{"drift": {"psi": 0.07}, "n": 1200}')
    found = await ask(web, Endpoint(responder.url, 10.0), "$.drift.psi", "$.n")
    assert found == Reading(0.07, samples=1200)


@pytest.mark.parametrize(
    ("text", "status", "path", "reason"),
    [
        ('{"a": 1}', 200, "$.b", "NoMatch"),
        ('{"a": [1, 2]}', 200, "$.a[*]", "NoMatch"),
        ('{"a": "1"}', 200, "$.a", "NoMatch"),
        ('{"a": true}', 200, "$.a", "NoMatch"),
        ('{"a": 1}', 500, "$.a", "QueryFailed"),
        ('{"a": 1}', 401, "$.a", "AccessDenied"),
        ("not json", 200, "$.a", "QueryFailed"),
        ('{"a": 1}', 200, "$.a[", "InvalidQuery"),
        ('{"a": 1}', 200, "$[?match(@.a, '(x+x+)+y')]", "InvalidQuery"),
    ],
)
async def test_response_without_a_single_number_is_missing(
    web: NamespaceAccess, responder: Responder, text: str, status: int, path: str, reason: str
) -> None:
    responder.responds(text, status)
    found = await ask(web, Endpoint(responder.url, 10.0), path)
    assert isinstance(found, Missing)
    assert found.reason == reason
