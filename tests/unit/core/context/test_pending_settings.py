"""Changes of strategy and router wait for the end of the rollout (R12)."""

from __future__ import annotations

import pytest

from canarium.core.decision.plan import StoreRevision
from core.cluster import Cluster, gateway_spec, spec
from core.pause_scenarios import (
    MAKES,
    MANUAL_25,
    Make,
    edited,
    lose,
    order,
    promoted,
    rolling,
    rollout,
    stands,
    steps,
)

rule = pytest.mark.rule


def condition(cluster: Cluster, kind: str) -> tuple[str, str] | None:
    found = (c for c in cluster.status.conditions if c.type == kind)
    return next(((c.status, c.message) for c in found), None)


@rule("R12", "R22")
@MAKES
@pytest.mark.parametrize("strategy", ["BlueGreen", "Recreate"])
def test_change_of_strategy_waits_for_the_end_of_the_rollout_and_is_reported(
    make: Make, strategy: str
) -> None:
    # A8
    cluster = rolling(make, steps((25, "Manual"), (50, "Manual")))
    edited(cluster, make, rollout(None, strategy=strategy))
    stands(cluster, 25)
    pending = condition(cluster, "SettingsPending")
    assert pending is not None
    assert pending[0] == "True"
    assert f"Strategy {strategy} takes effect after this rollout" in pending[1]
    assert pending[1] in cluster.status.message
    order(cluster, "promote").run(60)
    stands(cluster, 50)
    lose(cluster).run(60)
    stands(cluster, 50)
    order(cluster, "promote", "two").run(30)
    assert promoted(cluster)
    assert condition(cluster, "SettingsPending") is None


@rule("R12")
def test_settings_of_a_rollout_are_stored_with_its_record_in_one_write() -> None:
    cluster = Cluster(spec("1")).run(30)
    cluster.spec = spec("2", rollout=rollout(None, strategy="BlueGreen"))
    stored = [one for one in cluster.reconcile().actions if isinstance(one, StoreRevision)]
    assert [bool(one.settings) for one in stored] == [True]


@rule("R12")
@pytest.mark.parametrize(("make", "other"), [(spec, gateway_spec), (gateway_spec, spec)])
def test_change_of_router_waits_and_is_reported(make: Make, other: Make) -> None:
    # A9
    cluster = rolling(make, MANUAL_25)
    edited(cluster, other, rollout(MANUAL_25))
    stands(cluster, 25)
    pending = condition(cluster, "SettingsPending")
    assert pending is not None
    assert "takes effect once no rollout or bake is in progress" in pending[1]
    assert pending[1] in cluster.status.message
    order(cluster, "promote").run(30)
    assert promoted(cluster)
    assert cluster.status.phase == "Baking"
    assert condition(cluster, "SettingsPending") is not None
    cluster.run(400)
    assert condition(cluster, "SettingsPending") is None
    assert bool(cluster.route) == (other is gateway_spec)


@rule("R12")
def test_step_of_weight_zero_has_no_traffic_while_its_router_is_pending() -> None:
    # A9: only routers that mirror or match headers have steps of 0; this one still waits.
    cluster = rolling(spec, MANUAL_25, seconds=1)
    edited(cluster, gateway_spec, rollout(steps((0, "Manual"), (50, "Manual"))))
    stands(cluster, 0)
    assert cluster.serving() == {"1": 3}


LEGAL = {"name": "legal", "before": "Traffic", "approval": {}}


@rule("R12", "R18")
@MAKES
@pytest.mark.parametrize("lost", [False, True])
@pytest.mark.parametrize("strategy", ["BlueGreen", "Recreate"])
def test_change_of_strategy_before_the_first_weight_does_not_skip_the_steps(
    make: Make, strategy: str, lost: bool
) -> None:
    gated = rollout(steps((10, "Manual")), gates=[LEGAL])
    cluster = Cluster(make("1", rollout=gated))
    cluster.run(10)
    cluster.annotations = {"approve": f"{cluster.revision('1')}/legal"}
    cluster.run(10)
    cluster.spec = make("2", rollout=gated)
    cluster.run(20)
    cluster.spec = make("2", rollout=rollout(None, strategy=strategy))
    if lost:
        lose(cluster)
    cluster.run(3)
    order(cluster, "approve", "legal")
    cluster.run(300, tick=2)
    stands(cluster, 10)


@rule("R12", "R18")
@MAKES
def test_steps_edited_before_the_first_weight_survive_a_lost_status(make: Make) -> None:
    gates = [LEGAL]
    cluster = Cluster(make("1", rollout=rollout(None))).run(20)
    cluster.spec = make("2", rollout=rollout(steps((10, "1s")), gates=gates))
    cluster.run(20)
    edited(cluster, make, rollout(steps((10, "Manual")), gates=gates))
    cluster.spec = make("2", rollout=rollout(None, strategy="BlueGreen", gates=gates))
    lose(cluster).run(3)
    order(cluster, "approve", "legal")
    cluster.run(300, tick=2)
    stands(cluster, 10)


@rule("R12")
@MAKES
def test_version_that_returns_takes_the_strategy_of_its_new_rollout(make: Make) -> None:
    cluster = rolling(make, MANUAL_25)
    cluster.spec = make("1", rollout=rollout(MANUAL_25))
    cluster.run(60)
    cluster.spec = make("2", rollout=rollout(None, strategy="BlueGreen"))
    lose(cluster).run(60)
    assert promoted(cluster)
    cluster.run(400, tick=2)
    record = next(x for x in cluster.records if x.revision == cluster.revision("2"))
    assert record.rollout_settings == '{"strategy": "BlueGreen", "steps": []}'


@rule("R12", "R26")
def test_record_of_a_new_version_has_the_settings_of_its_rollout() -> None:
    cluster = rolling(spec, MANUAL_25)
    record = next(x for x in cluster.records if x.revision == cluster.revision("2"))
    assert record.rollout_settings == '{"strategy": "Canary", "steps": [[25, "Manual"]]}'
