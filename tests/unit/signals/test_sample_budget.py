"""Scraped values that are kept: bounded in all, and shared out between namespaces."""

from __future__ import annotations

import pytest

from canarium.signals.sample_budget import MOST, MOST_OF_A_WINDOW, SampleBudget

pytestmark = pytest.mark.rule("R31")


def filled(holdings: SampleBudget, namespace: str, models: int) -> int:
    """Every model keeps as much as it may; how much that is."""
    total = 0
    for number in range(models):
        room = holdings.room(namespace, f"m{number}", "r")
        holdings.note(namespace, f"m{number}", "r", room)
        total += room
    return total


def test_one_namespace_cannot_keep_another_from_its_share() -> None:
    holdings = SampleBudget()
    assert filled(holdings, "evil", 1_000) == MOST
    assert holdings.room("evil", "more", "r") == 0
    assert holdings.room("good", "m", "r") == MOST_OF_A_WINDOW
    for number in range(9):
        filled(holdings, f"evil-{number}", 1_000)
    assert holdings.room("good", "m", "r") == MOST_OF_A_WINDOW
    assert filled(holdings, "evil", 1_000) <= MOST // 9, "the excess is dropped at its next scrape"


def test_model_that_is_forgotten_keeps_nothing() -> None:
    holdings = SampleBudget()
    filled(holdings, "a", 1_000)
    for number in range(1_000):
        holdings.forget("a", f"m{number}")
    assert holdings.room("a", "m", "r") == MOST_OF_A_WINDOW
