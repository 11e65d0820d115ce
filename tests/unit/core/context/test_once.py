"""Contexts compute what they derive once, and an advanced one keeps what still holds."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from canarium.api.effective_spec import effective_spec
from canarium.api.model_deployment import Spec
from canarium.api.status import Progress
from canarium.core.context.context import RolloutContext
from canarium.core.context.gates import gates_of, opened_gates
from canarium.core.context.live_traffic import answering
from canarium.core.context.once import cached_property, once
from canarium.core.context.sanitize import plausible
from canarium.core.routing.choice import chosen
from core.any_facts import NOW, Anything

#: Everything that a context derives, by name.
DERIVED = sorted(
    name
    for layer in RolloutContext.__mro__
    for name, value in vars(layer).items()
    if isinstance(value, cached_property)
)


@dataclass(frozen=True)
class Counted:
    """Facts that count how often something is derived from them."""

    calls: list[str] = field(default_factory=list)

    @cached_property
    def double(self) -> int:
        """Twice the number of calls."""
        self.calls.append("double")
        return 2 * len(self.calls)


@once
def number_of_calls(facts: Counted) -> int:
    facts.calls.append("number_of_calls")
    return len(facts.calls)


def test_attribute_and_function_are_computed_once_for_each_object() -> None:
    facts = Counted()
    assert [facts.double, facts.double] == [2, 2]
    assert [number_of_calls(facts), number_of_calls(facts)] == [2, 2]
    assert facts.calls == ["double", "number_of_calls"]
    assert number_of_calls(Counted()) == 1


def test_attribute_has_the_documentation_of_its_function() -> None:
    assert Counted.double.__doc__ == "Twice the number of calls."


def context(seed: int) -> RolloutContext:
    anything = Anything(seed)
    spec, status, observed = anything.spec(), anything.status(), anything.observed()
    settings = effective_spec(Spec.model_validate(spec))
    stored, _ = plausible(status, NOW)
    traffic, router = chosen(observed, stored, settings, NOW)
    return RolloutContext(
        name="fraud",
        spec=spec,
        settings=settings,
        status=stored,
        observed=observed,
        traffic=traffic,
        router=router,
        now=NOW,
    )


def derived(ctx: RolloutContext) -> dict[str, Any]:
    attributes = {name: getattr(ctx, name) for name in DERIVED}
    functions = (gates_of, opened_gates, answering)
    return {**attributes, **{function.__name__: function(ctx) for function in functions}}


@pytest.mark.parametrize("start", range(0, 200, 50))
def test_advanced_context_derives_what_a_new_one_would(start: int) -> None:
    for seed in range(start, start + 50):
        ctx = context(seed)
        derived(ctx)
        progress = Progress(weight=(ctx.progress.weight + 7) % 100, granted=93)
        fresh = replace(ctx, advanced_progress=progress)
        assert derived(ctx.advanced(progress)) == derived(fresh), seed
        assert ctx.advanced(progress).progress == progress
