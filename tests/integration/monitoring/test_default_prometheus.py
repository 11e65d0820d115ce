"""A check without a URL, measured by a real Prometheus that the operator is configured with."""

from __future__ import annotations

import pytest

from integration.monitoring.conftest import Story


@pytest.mark.rule("R17")
def test_check_without_url_is_measured_by_the_prometheus_of_the_operator(story: Story) -> None:
    (check,) = (c for c in story.status["analysis"]["checks"] if c["name"] == "ratio")
    assert (check["verdict"], check["value"], check["samples"]) == ("Pass", 1, 900)
    (ready,) = (c for c in story.status["conditions"] if c["type"] == "AnalysisReady")
    assert ready["status"] == "True"
