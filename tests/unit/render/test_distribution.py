"""The field `trafficDistribution` of Services, by the version of the API server."""

from __future__ import annotations

from typing import Any

import pytest

from canarium.core.facts.traffic_record import NO_RECORD
from canarium.host.server_version import parsed
from canarium.render import workload
from canarium.render.distribution import traffic_distribution

PARENT = {"metadata": {"name": "m", "namespace": "ns", "uid": "u"}}
ZONE = {"trafficDistribution": "PreferSameZone"}


@pytest.mark.parametrize(
    ("minor", "value"),
    [(None, "PreferClose"), (31, "PreferClose"), (34, "PreferClose"), (35, "PreferSameZone"),
     (40, "PreferSameZone")],
)  # fmt: skip
def test_value_is_one_that_the_api_server_accepts(minor: int | None, value: str) -> None:
    wanted = traffic_distribution("PreferSameZone", minor)
    assert wanted == {"trafficDistribution": value}


def test_no_field_is_written_unless_the_spec_asks_for_it() -> None:
    assert traffic_distribution(None, 36) == {}


@pytest.mark.rule("R6")
@pytest.mark.parametrize(("color", "has"), [("blue", True), (None, True), ("", False)])
def test_service_that_selects_two_versions_prefers_no_zone(color: str | None, has: bool) -> None:
    made = workload.service(PARENT, 80, color, NO_RECORD, distribution=ZONE)
    assert ("trafficDistribution" in made["spec"]) is has


@pytest.mark.parametrize(
    ("answer", "minor"),
    [
        ({"major": "1", "minor": "36"}, 36),
        ({"minor": "34+"}, 34),
        ({"minor": "36", "emulationMinor": "33"}, 33),
        ({"minor": ""}, None),
        ({"minor": "x"}, None),
        ({}, None),
    ],
)
def test_minor_version_of_an_answer(answer: dict[str, Any], minor: int | None) -> None:
    assert parsed(answer) == minor
