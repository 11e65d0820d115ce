"""`plan` is total: any facts beside any status give a plan, and none that hurts (R0, R9, R18)."""

from __future__ import annotations

import os
from typing import Any

import pytest

from canarium.api.effective_spec import effective_spec
from canarium.api.model_deployment import Spec
from canarium.api.status import Status
from canarium.core.decision import plan as p
from canarium.core.facts.observed import Observed
from canarium.core.phases.table import TABLE
from canarium.core.planner import plan
from core.any_facts import NOW, Anything

rule = pytest.mark.rule
PHASES = {row.phase for row in TABLE}
#: How many facts are tried, in how many tests, of which all but the first are slow: more by
#: CANARIUM_TOTAL.
_ALL = int(os.environ.get("CANARIUM_TOTAL", "2000"))
_PARTS = 10


def decided(spec: dict[str, Any], status: Status, observed: Observed) -> p.Plan:
    return plan(
        spec,
        effective_spec(Spec.model_validate(spec)),
        status,
        observed,
        now=NOW,
        generation=1,
        name="fraud",
    )


def selected(observed: Observed, color: str | None) -> int:
    """Ready pods that the callers' Service leads to when it selects `color`."""
    if color is None:
        return 0
    return sum(1 for pod in observed.pods if pod.serves and color in ("", pod.color))


def led(observed: Observed, weights: tuple[tuple[str, int], ...]) -> int:
    """Percent that a route of `weights` gives to revisions with ready pods."""
    return sum(weight for revision, weight in weights if observed.ready(revision))


def harm(observed: Observed, decision: p.Plan) -> list[str]:
    """What the writes of a decision would do to callers."""
    found = []
    before = selected(observed, observed.service.color) if observed.service else 0
    stable = decision.status.stable
    for action in decision.actions:
        if isinstance(action, p.SelectColor) and before and not selected(observed, action.color):
            found.append(f"{before} ready pods are left for none by {action}")
        had = led(observed, observed.route.weights) if observed.route else 0
        if isinstance(action, p.SetRouteWeights) and had and not led(observed, action.weights):
            found.append(f"ready pods are left for none by {action}")
        if isinstance(action, p.DeleteRevision) and stable and action.revision == stable.revision:
            found.append(f"stable's record is deleted: {action}")
    return found


@rule("R0", "R9", "R18")
@pytest.mark.parametrize(
    "part", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in range(1, _PARTS))]
)
def test_any_facts_and_any_status_give_a_harmless_plan(part: int) -> None:
    for seed in range(part * _ALL // _PARTS, (part + 1) * _ALL // _PARTS):
        facts = Anything(seed)
        spec, status, observed = facts.spec(), facts.status(), facts.observed()
        try:
            decision = decided(spec, status, observed)
        except Exception as error:
            error.add_note(f"seed {seed}")
            raise
        assert decision.phase in PHASES, seed
        assert decision.requeue_after is None or decision.requeue_after >= 0, seed
        # Adoption and restored records keep a status that was written before, as it is.
        assert decision.status.message or decision.status == status, seed
        written = decision.status.model_dump(mode="json", by_alias=True, exclude_none=True)
        assert Status.model_validate(written) == decision.status, seed
        assert harm(observed, decision) == [], seed


@pytest.mark.slow
def test_random_facts_reach_every_phase_and_many_kinds_of_writes() -> None:
    phases, writes = set(), set()
    wanted = {"SelectColor", "SetRouteWeights", "Scale", "CreateDeployment", "DeleteDeployment"}
    # A bake is rare among facts that have nothing to do with each other: one in 1,500.
    for seed in range(15_000):
        if phases == PHASES and wanted <= writes:
            break
        facts = Anything(seed)
        decision = decided(facts.spec(), facts.status(), facts.observed())
        phases.add(decision.phase)
        writes |= {type(action).__name__ for action in decision.actions}
    assert phases == PHASES
    assert wanted <= writes
