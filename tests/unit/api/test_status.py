"""What of a status is a decision, and what is only published with it."""

from __future__ import annotations

import pytest

from canarium.api.status import Condition, Failure, Status, StatusWarning

NOW = "2026-01-01T00:00:00Z"


def status(text: str, reason: str = "Promoted") -> Status:
    """A status whose every message is `text`."""
    condition = Condition(
        type="Ready", status="True", reason=reason, message=text, last_transition_time=NOW
    )
    failure = Failure(revision="one", reason="OOMKilled", message=text, time=NOW)
    warning = StatusWarning(reason="PodStuck", object="Pod m", message=text)
    return Status(
        message=text, conditions=(condition,), failure=failure, warnings=(warning,), phase="Ready"
    )


@pytest.mark.rule("R30")
def test_status_is_the_same_state_when_only_messages_differ() -> None:
    assert status("one").essence() == status("other").essence()


@pytest.mark.rule("R30")
def test_status_is_another_state_when_a_reason_differs() -> None:
    assert status("one").essence() != status("one", "PodsNotReady").essence()


@pytest.mark.rule("R29")
def test_conflict_with_another_route_is_another_state() -> None:
    def conflict(route: str) -> Status:
        first = Condition(
            type="RouteConflicted",
            status="True",
            reason="OtherRouteWins",
            message=f"HTTPRoute {route} receives the requests",
            last_transition_time=NOW,
        )
        return status("one").model_copy(update={"conditions": (first,)})

    assert conflict("shop/web").essence() == conflict("shop/web").essence()
    assert conflict("shop/web").essence() != conflict("shop/new").essence()


@pytest.mark.rule("R30")
def test_status_is_new_until_it_is_written_for_a_generation() -> None:
    assert Status(message="Adopted Service/m").is_new
    assert Status(observed_generation=-1).is_new
    assert not Status(observed_generation=1).is_new
