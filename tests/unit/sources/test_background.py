"""Requests in the background: which model the lines that they log are about."""

from __future__ import annotations

import asyncio

import pytest

from canarium.kube.clock import Timing
from canarium.sources.background import Attempt, Background
from canarium.sources.registries import Key
from canarium.telemetry import log_context


@pytest.mark.parametrize("name", ["fraud", "fraud/risk"])
async def test_lines_of_an_attempt_name_the_model_after_the_reconcile_has_ended(name: str) -> None:
    ended, logged = asyncio.Event(), asyncio.Event()
    fields: dict[str, str] = {}

    async def attempt(key: Key, request: str, number: int) -> Attempt[str]:
        await ended.wait()
        fields.update(log_context.current())
        logged.set()
        return Attempt("done")

    background = Background(attempt, lambda key, urgent: None, Timing())
    with log_context.reconciling("risk", "spam"):
        background.want(("risk", name), "request")
        await asyncio.sleep(0)
    ended.set()
    await asyncio.wait_for(logged.wait(), 5)
    await background.close()
    assert fields == {"namespace": "risk", "name": "fraud"}
