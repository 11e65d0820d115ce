"""Message, phase, conditions and weights agree with the traffic, in every phase (R29).

Each phase is reached by either router, and then something happens in it: pods crash, writes are
rejected, records and status are lost.
"""

from __future__ import annotations

import pytest

from canarium.api.reasons import RejectionReason
from core.cluster import Cluster, computed_once, gateway_spec, spec
from core.status.phase_scenarios import (
    PHASES,
    Change,
    Maker,
    _rejected,
    agree,
    all_crash,
    baking,
    degraded,
    failed,
    invalid,
    progressing,
    quota_on_pods,
    ready,
    record_of_stable_deleted,
    rolled_back,
    rolling_back,
    scaled_to_zero,
    stable_crashes,
    starting,
    status_lost,
)
from sweep import every

rule = pytest.mark.rule


#: Each phase of the table, and how it is reached; the phase is in the status once it is decided.
REACHED: dict[str, Change] = {
    "Starting": starting,
    "Ready": ready,
    "Progressing": progressing,
    "Baking": baking,
    "RollingBack": rolling_back,
    "RolledBack": rolled_back,
    "Failed": failed,
    "Invalid": invalid,
    "Degraded": degraded,
}
#: Not a separate phase: no version serves, as requested.
SCALED_TO_ZERO: dict[str, Change] = {"scaled_to_zero": scaled_to_zero}


CHANGES: tuple[Change, ...] = (
    stable_crashes,
    all_crash,
    quota_on_pods,
    record_of_stable_deleted,
    status_lost,
    _rejected("Service", RejectionReason.ADMISSION_DENIED),
    _rejected("HTTPRoute", RejectionReason.FORBIDDEN),
    _rejected("Deployment", RejectionReason.QUOTA_EXCEEDED),
    _rejected("ControllerRevision", RejectionReason.WEBHOOK_FAILED),
)


def recreate_spec(version: str, **extra: object) -> dict[str, object]:
    """Stable is deleted before the candidate is created, and there is no warm version."""
    return {**spec(version), "rollout": {"strategy": "Recreate"}, **extra}


MAKERS: tuple[Maker, ...] = (spec, gateway_spec, recreate_spec)
#: Every phase by both kinds of router and by strategy Recreate, which keeps no version warm.
WALK = [
    pytest.param(phase, make, id=f"{phase}-{make.__name__.removesuffix('_spec')}")
    for phase in (*REACHED, *SCALED_TO_ZERO)
    for make in MAKERS
    if (phase, make) != ("Baking", recreate_spec)
]


@computed_once
def at(phase: str, make: Maker) -> Cluster:
    """A cluster whose model has just reached the phase."""
    cluster = Cluster(make("1"))
    (REACHED | SCALED_TO_ZERO)[phase](cluster)
    return cluster


def test_every_phase_of_the_table_is_walked() -> None:
    assert set(REACHED) == PHASES


@rule("R29")
@pytest.mark.parametrize(("phase", "make"), WALK)
def test_phase_of_the_walk_is_reached(phase: str, make: Maker) -> None:
    cluster = at(phase, make)
    agree(cluster)
    status = cluster.reconcile().status
    assert status.phase == (phase if phase in REACHED else "Ready")


# F1
@rule("R29")
@pytest.mark.parametrize("change", every(CHANGES), ids=lambda change: change.__name__)
@pytest.mark.parametrize(("phase", "make"), WALK)
def test_status_agrees_with_the_traffic(phase: str, change: Change, make: Maker) -> None:
    cluster = at(phase, make)
    change(cluster)
    cluster._endpoints()
    for _ in range(6):
        agree(cluster)
        if cluster.rejection is None:
            cluster.run(0.5)
        cluster.now += 0.5
        cluster._live()
