"""R17, R21: what continues while a template is missing or cannot be used, and what waits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from canarium.core.evidence.verdict import Verdict
from core.cluster import Cluster, spec
from core.health.analysis_scenarios import CHECKS, seen
from core.pause_scenarios import order
from core.phases.check_template_scenarios import (
    MAKES,
    SLO,
    USE,
    judged,
    recorded,
    rolling,
    slo,
    waits,
)
from core.phases.gated_rollouts import decide, gate
from core.phases.test_web_gates import condition

rule = pytest.mark.rule


@rule("R21")
@MAKES
@pytest.mark.parametrize(
    ("use", "template", "reason", "field", "text"),
    [
        (USE, None, "CheckTemplateNotFound", "", "CheckTemplate/slo does not exist"),
        (
            {**USE, "kind": "ClusterCheckTemplate"},
            slo(),
            *("CheckTemplateNotFound", ""),
            "ClusterCheckTemplate/slo does not exist",
        ),
        (
            {"name": "slo"},
            slo(),
            *("InvalidArguments", ".args.max"),
            "set this argument, for which CheckTemplate/slo has no default",
        ),
        (
            {**USE, "args": {"max": "1%", "mx": "1"}},
            slo(),
            *("InvalidArguments", ".args.mx"),
            "CheckTemplate/slo has no such argument. Its arguments: max",
        ),
        (
            {**USE, "args": {"max": "one"}},
            slo(),
            *("InvalidArguments", ""),
            "check errors of CheckTemplate/slo is not valid with these arguments: max: must be a "
            'number, a percentage or a time, such as "0.2", "1%" or "200ms", not "one"',
        ),
        (
            USE,
            {"checks": slo()["checks"]},
            *("InvalidCheckTemplate", ""),
            "CheckTemplate/slo: spec.checks[errors] has {{ args.max }}, which is not in spec.args",
        ),
    ],
    ids=["missing", "kind", "no-value", "unknown", "bound", "template"],
)
def test_template_that_cannot_be_used_holds_until_it_is_corrected(
    use: dict[str, Any], template: Any, reason: str, field: str, text: str, make: Any
) -> None:
    templates = {SLO: template} if template else {}
    cluster = rolling(use, templates=templates, make=make).run(3600, tick=5)
    assert cluster.status.weight == 0
    assert set(cluster.serving()) == {"1"}
    assert waits(cluster)
    full = f"spec.rollout.analysis.templates[slo]{field}: {text}"
    assert condition(cluster, "AnalysisReady") == ("False", reason, full)
    assert full in cluster.status.message
    assert condition(cluster, "Available")[0] == "True"
    cluster.check_templates[SLO] = slo()
    cluster.check_templates["ClusterCheckTemplate", "slo"] = slo()
    cluster.spec = judged("2", {**use, "args": {"max": "1%"}}, make=make)
    cluster.run(5)
    assert cluster.status.weight == 25
    assert condition(cluster, "AnalysisReady")[0] == "True"


@rule("R17")
def test_created_template_continues_the_rollout_by_itself() -> None:
    cluster = rolling(templates={}, seconds=60)
    assert waits(cluster)
    cluster.check_templates[SLO] = slo()
    cluster.run(5)
    assert cluster.status.weight == 25
    assert recorded(cluster)


@rule("R21")
@pytest.mark.parametrize(
    ("templates", "own", "reason", "text"),
    [
        (
            {SLO: slo("errors")},
            CHECKS,
            "DuplicateCheck",
            "templates[slo]: its check errors is also in spec.rollout.analysis.checks: rename one "
            "of the two",
        ),
        (
            {SLO: slo("a"), ("ClusterCheckTemplate", "base"): slo("a")},
            None,
            "DuplicateCheck",
            "templates[base]: its check a is also in CheckTemplate/slo: rename one of the two",
        ),
        (
            {SLO: {**slo(), "checks": [slo(f"c{n}")["checks"][0] for n in range(16)]}},
            CHECKS,
            "TooManyChecks",
            "templates: there are 17 checks with those of all templates, and at most 16 are "
            "evaluated",
        ),
    ],
    ids=["own", "templates", "many"],
)
def test_checks_that_do_not_go_together_hold_the_rollout(
    templates: Any, own: Any, reason: str, text: str
) -> None:
    uses = [{"name": name, "kind": kind, "args": {"max": "1%"}} for kind, name in templates]
    more = {"checks": own} if own else {}
    cluster = rolling(*uses, templates=templates, seconds=60, **more)
    assert cluster.status.weight == 0
    found = condition(cluster, "AnalysisReady")
    assert found == ("False", reason, f"spec.rollout.analysis.{text}")


@rule("R8", "R17")
def test_checks_that_remain_still_fail_a_version_while_others_are_missing() -> None:
    cluster = rolling(USE, checks=CHECKS, templates={SLO: slo("latency")}, seconds=20)
    cluster.spec = judged("2", USE, {"name": "gone"}, checks=CHECKS)
    cluster.run(5)
    assert condition(cluster, "AnalysisReady")[1] == "CheckTemplateNotFound"
    seen(cluster, Verdict.PASS)
    cluster.run(60)
    assert cluster.status.weight == 25
    assert waits(cluster)
    seen(cluster, Verdict.FAIL)
    assert set(cluster.run(10).serving()) == {"1"}


@rule("R12", "R17")
def test_step_needs_evidence_of_all_checks_once_a_missing_template_exists() -> None:
    cluster = rolling()
    cluster.spec = judged("2", USE, {"name": "late"})
    cluster.run(20)
    seen(cluster, Verdict.PASS)
    cluster.run(20)
    assert waits(cluster)
    cluster.check_templates["CheckTemplate", "late"] = slo("late", bound="1")
    cluster.check_templates["CheckTemplate", "late"].pop("args")
    cluster.run(20)
    assert waits(cluster, "Analysis")
    assert cluster.status.weight == 25
    seen(cluster, Verdict.PASS)
    assert cluster.evidence
    (finding,) = cluster.evidence.findings
    late = replace(finding, check="late")
    cluster.evidence = replace(cluster.evidence, findings=(finding, late))
    assert cluster.run(10).status.weight == 50


@rule("R17")
@pytest.mark.parametrize("policy", ["Promote", "Hold"])
def test_step_does_not_end_while_checks_are_missing(policy: str) -> None:
    cluster = rolling(onInsufficientData=policy)
    cluster.spec = judged("2", {"name": "gone"}, onInsufficientData=policy)
    cluster.run(20)
    seen(cluster, Verdict.INSUFFICIENT)
    cluster.run(60)
    assert cluster.status.weight == 25
    assert waits(cluster)


@rule("R16", "R17")
def test_promote_full_continues_without_the_missing_checks() -> None:
    cluster = rolling(templates={}, seconds=30)
    assert "annotate canarium.dev/promote-full" in cluster.status.message
    order(cluster, "promote").run(30)
    assert cluster.status.weight == 0
    order(cluster, "promote-full").run(60)
    assert set(cluster.serving()) == {"2"}


@rule("R11")
def test_promoted_version_returns_although_its_template_is_missing() -> None:
    cluster = rolling()
    for _ in range(2):
        cluster.run(15)
        seen(cluster, Verdict.PASS)
    cluster.run(60)
    assert set(cluster.serving()) == {"2"}
    del cluster.check_templates[SLO]
    cluster.spec = judged("1", USE)
    cluster.run(60)
    assert set(cluster.serving()) == {"1"}


@rule("R13")
def test_missing_template_does_not_keep_a_broken_stable_from_being_replaced() -> None:
    cluster = rolling(templates={}, seconds=10)
    cluster.crash("1")
    cluster.run(30)
    assert set(cluster.serving()) == {"2"}
    assert cluster.status.stable
    assert cluster.version(cluster.status.stable.revision) == "1"


@rule("R22")
@pytest.mark.parametrize(("strategy", "serving"), [("BlueGreen", "1"), ("Recreate", "2")])
def test_only_strategies_with_an_analysis_wait_for_a_template(strategy: str, serving: str) -> None:
    cluster = Cluster(spec("1")).run(10)
    made = judged("2", USE)
    made["rollout"] |= {"strategy": strategy, "steps": None}
    cluster.spec = made
    assert set(cluster.run(60).serving()) == {serving}


@rule("R27")
def test_gate_is_decided_while_a_template_is_missing() -> None:
    cluster = Cluster(spec("1")).run(10)
    cluster.spec = judged("2", USE)
    cluster.spec["rollout"]["gates"] = [gate("legal", "Traffic")]
    cluster.run(10)
    assert waits(cluster, "WaitingForApproval")
    decide(cluster, "approve", "legal")
    cluster.run(10)
    assert waits(cluster)
    assert cluster.status.weight == 0
    cluster.check_templates[SLO] = slo()
    assert cluster.run(10).status.weight == 25


@rule("R15", "R17", "R29")
@MAKES
def test_template_that_is_missing_since_the_bake_is_reported_and_holds_no_bake(make: Any) -> None:
    cluster = rolling(make=make)
    for _ in range(2):
        cluster.run(15)
        seen(cluster, Verdict.PASS)
    cluster.run(10)
    assert cluster.status.phase == "Baking"
    assert "judged by all checks" not in cluster.status.message
    cluster.spec = judged("2", USE, {"name": "later"}, make=make)
    cluster.run(2)
    text = "spec.rollout.analysis.templates[later]: CheckTemplate/later does not exist"
    assert "The bake is not judged by all checks, and ends without them" in cluster.status.message
    assert text in cluster.status.message
    assert condition(cluster, "AnalysisReady")[:2] == ("False", "CheckTemplateNotFound")
    assert cluster.run(120).status.phase == "Ready"
    assert set(cluster.serving()) == {"2"}


@rule("R17")
def test_what_is_recorded_still_judges_a_bake_with_a_missing_template() -> None:
    cluster = rolling()
    for _ in range(2):
        cluster.run(15)
        seen(cluster, Verdict.PASS)
    cluster.run(10)
    cluster.spec = judged("2", USE, {"name": "later"})
    cluster.run(2)
    seen(cluster, Verdict.FAIL)
    assert set(cluster.run(10).serving()) == {"1"}
