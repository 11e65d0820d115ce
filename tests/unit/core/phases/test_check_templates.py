"""R17, R21: a revision is judged by templates as they were when its rollout started."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from canarium.core.bookkeeping import check_templates as bookkeeping
from canarium.core.context import check_templates as context
from canarium.core.evidence.verdict import Verdict
from canarium.core.facts import check_templates as facts
from canarium.core.facts.check_templates import LONGEST, templates_from_json
from canarium.core.facts.object_ref import ObjectRef
from core.api_answers import denied
from core.cluster import Cluster, spec
from core.health.analysis_scenarios import seen
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
from core.phases.test_web_gates import condition

rule = pytest.mark.rule


@rule("R17")
@MAKES
def test_template_is_recorded_with_its_arguments_before_the_first_traffic(make: Any) -> None:
    cluster = Cluster(make("1")).run(10)
    cluster.check_templates[SLO] = slo()
    cluster.spec = judged("2", USE, make=make)
    while not cluster.status.weight:
        cluster.run(0.5)
        assert recorded(cluster) or not cluster.status.weight
    assert recorded(cluster) == [
        {
            "kind": "CheckTemplate",
            "name": "slo",
            "args": {"max": "1%"},
            "checks": [{"name": "errors", "metric": "ErrorRate", "max": "1%"}],
        }
    ]
    assert condition(cluster, "AnalysisReady")[0] == "True"


@rule("R17")
@pytest.mark.parametrize("later", [slo("other"), slo(bound="50%"), None, {"checks": "x"}])
def test_edit_of_a_template_does_not_change_what_judges_a_rollout_or_a_bake(later: Any) -> None:
    cluster = rolling()
    before = recorded(cluster)
    if later:
        cluster.check_templates[SLO] = later
    else:
        del cluster.check_templates[SLO]
    for _ in range(2):
        cluster.run(15)
        seen(cluster, Verdict.PASS)
    assert cluster.run(10).status.phase == "Baking"
    assert recorded(cluster) == before
    assert condition(cluster, "AnalysisReady")[0] == "True"
    seen(cluster, Verdict.FAIL)
    assert set(cluster.run(10).serving()) == {"1"}
    assert cluster.status.failure
    assert cluster.status.failure.reason == "AnalysisFailed"


@rule("R17")
def test_next_revision_is_judged_by_the_current_template() -> None:
    cluster = rolling()
    cluster.check_templates[SLO] = slo("latency")
    cluster.spec = judged("3", USE)
    cluster.run(20)
    assert [c["name"] for c in recorded(cluster, "3")[0]["checks"]] == ["latency"]


@rule("R21", "R31")
def test_checks_that_are_too_long_for_a_record_hold_the_rollout_and_are_not_written() -> None:
    query = {"url": "http://a", "query": "x" * 4096, "samplesQuery": "x" * 4096}
    checks = [{"name": f"c{n}", "prometheus": query, "max": "1"} for n in range(12)]
    cluster = rolling({"name": "slo"}, templates={SLO: {"checks": checks}}, seconds=60)
    assert cluster.status.weight == 0
    status, reason, text = condition(cluster, "AnalysisReady")
    assert (status, reason) == ("False", "TooManyChecks")
    assert text.endswith("the checks of all templates are longer than 64 KiB")
    assert not recorded(cluster)


@rule("R17")
def test_revision_that_returns_is_judged_by_the_current_template() -> None:
    cluster = rolling()
    for _ in range(2):
        cluster.run(15)
        seen(cluster, Verdict.PASS)
    cluster.run(60)
    cluster.spec = judged("3", USE)
    cluster.run(20)
    cluster.check_templates[SLO] = slo("latency")
    cluster.spec = judged("1", USE)
    cluster.run(60)
    assert [c["name"] for c in recorded(cluster, "1")[0]["checks"]] == ["latency"]


@rule("R17")
@pytest.mark.parametrize("policy", ["Hold", "Promote"])
@pytest.mark.parametrize(
    "edit",
    [
        {"templates": [{"name": "slo", "args": {"max": "0.1%"}}]},
        {"templates": [{"name": "strict"}]},
        {"checks": [{"name": "errors", "metric": "ErrorRate", "max": "0.1%"}]},
        {"templates": [USE], "minSamples": 1000},
    ],
    ids=["argument", "template", "checks", "samples"],
)
def test_evidence_of_other_bounds_does_not_end_a_step(edit: dict[str, Any], policy: str) -> None:
    verdict = Verdict.PASS if policy == "Hold" else Verdict.INSUFFICIENT
    strict = {"checks": [{"name": "errors", "metric": "ErrorRate", "max": "0.1%"}]}
    templates = {SLO: slo(), ("CheckTemplate", "strict"): strict}
    cluster = rolling(templates=templates, seconds=4, onInsufficientData=policy)
    assert cluster.status.weight == 25
    cluster.run(5)
    seen(cluster, verdict)
    evidence = cluster.evidence
    assert evidence
    # Evaluated when the pause is over, of the checks as they were before the edit.
    cluster.spec = judged("2", onInsufficientData=policy, **edit)
    cluster.evidence = replace(evidence, at=cluster.now + 30)
    cluster.run(60)
    assert cluster.status.weight == 25
    assert waits(cluster, "Analysis")
    seen(cluster, verdict)
    assert cluster.run(5).status.weight == 50


@rule("R12", "R17")
def test_edit_of_the_arguments_in_the_spec_applies_at_once() -> None:
    cluster = rolling()
    cluster.check_templates[SLO] = slo(bound="{{ args.max }}", description="new")
    cluster.spec = judged("2", {**USE, "args": {"max": "5%"}})
    cluster.run(2)
    (one,) = recorded(cluster)
    assert (one["args"], one["checks"][0]["max"]) == ({"max": "5%"}, "5%")
    assert cluster.status.weight == 25


@rule("R18")
@pytest.mark.parametrize("write", range(12))
def test_traffic_never_precedes_the_record_at_whichever_write_the_operator_dies(write: int) -> None:
    cluster = Cluster(spec("1")).run(10)
    cluster.check_templates[SLO] = slo()
    cluster.spec = judged("2", USE)
    cluster.die_at = cluster.writes + write
    while not cluster.status.weight:
        cluster.run(0.5)
        service = cluster.service
        shared = service is not None and service.traffic.candidate is not None
        assert not shared or recorded(cluster)
    assert cluster.status.weight == 25


@rule("R18")
def test_record_that_cannot_be_written_holds_the_rollout_with_the_reason() -> None:
    cluster = rolling(templates={}, seconds=30)
    record = ObjectRef("ControllerRevision", f"m-{cluster.revision('2')}")
    cluster.rejection = denied(record)
    cluster.check_templates[SLO] = slo()
    cluster.run(30)
    assert cluster.status.weight == 0
    assert "denied request: no changes" in cluster.status.message
    status, reason, text = condition(cluster, "AnalysisReady")
    assert (status, reason) == ("False", "AdmissionDenied")
    assert "denied request: no changes" in text
    cluster.rejection = None
    assert cluster.run(10).status.weight == 25


@rule("R30")
@pytest.mark.parametrize(
    "text", ["x", "[]", "[1]", '[{"name": "a"}]', "{" * 5000, "[" * (LONGEST + 1)]
)
def test_damaged_record_has_no_templates(text: str) -> None:
    assert templates_from_json(text) == ()


def edit_record(cluster: Cluster, checks: Any) -> None:
    """Replaces the stored checks of the second version."""
    (entry,) = recorded(cluster)
    text = json.dumps([{**entry, "checks": checks}])
    cluster.records = [
        replace(r, check_templates=text) if r.revision == cluster.revision("2") else r
        for r in cluster.records
    ]


@rule("R17", "R21")
@pytest.mark.parametrize(
    "checks",
    [[], None, [{"name": "errors", "metric": "ErrorRate", "max": "1%", "later": True}]],
    ids=["empty", "null", "later"],
)
def test_stored_checks_that_cannot_be_read_hold_the_rollout(checks: Any) -> None:
    cluster = rolling()
    edit_record(cluster, checks)
    cluster.spec = judged("2", USE, {"name": "more"})
    cluster.check_templates[SLO] = slo("other")
    cluster.check_templates["CheckTemplate", "more"] = {"checks": slo("m", "1")["checks"]}
    cluster.run(20)
    seen(cluster, Verdict.PASS)
    cluster.run(60)
    assert cluster.status.weight == 25
    assert waits(cluster)
    status, reason, text = condition(cluster, "AnalysisReady")
    assert (status, reason) == ("False", "InvalidCheckTemplate")
    record = f"ControllerRevision/m-{cluster.revision('2')}"
    assert text.startswith(
        f"spec.rollout.analysis.templates[slo]: {record} has checks of CheckTemplate/slo that this "
        "version of the operator cannot read"
    )
    assert [one["checks"] for one in recorded(cluster)] == [checks], "a later version can read it"
    cluster.records = [replace(r, check_templates=None) for r in cluster.records]
    cluster.run(5)
    assert [c["name"] for c in recorded(cluster)[0]["checks"]] == ["other"]
    assert condition(cluster, "AnalysisReady")[0] == "True"


@rule("R21", "R31")
def test_template_that_is_too_long_is_not_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    expansions = counted(monkeypatch, facts, "expand")
    web = {"url": "http://a", "body": "{" * 16_000, "path": "$.a"}
    checks = [{"name": f"c{n}", "web": web, "max": "1"} for n in range(16)]
    cluster = rolling({"name": "slo"}, templates={SLO: {"checks": checks}}, seconds=30)
    assert cluster.status.weight == 0
    text = "spec.rollout.analysis.templates[slo]: CheckTemplate/slo is longer than 128 KiB"
    assert condition(cluster, "AnalysisReady") == ("False", "InvalidCheckTemplate", text)
    assert not expansions


@rule("R31")
def test_templates_are_put_together_once_per_context(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cluster = rolling()
    cluster.run(15)
    calls = counted(monkeypatch, context, "overlap")
    serialized = counted(monkeypatch, bookkeeping, "templates_to_json")
    cluster.reconcile()
    assert len(calls) == 2, "one context, and one with the candidate's refreshed progress"
    assert not serialized, "the record has them"


def counted(monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> list[str]:
    """Returns a list with an entry for each later call of a function of `module`."""
    calls: list[str] = []
    function = getattr(module, name)

    def counting(*args: Any) -> Any:
        calls.append(name)
        return function(*args)

    monkeypatch.setattr(module, name, counting)
    return calls


@rule("R17")
def test_status_names_the_template_of_each_check() -> None:
    own = [{"name": "latency", "metric": "LatencyP99", "max": "1s"}]
    cluster = rolling(checks=own, seconds=15)
    seen(cluster, Verdict.PASS)
    assert cluster.status.analysis
    (errors,) = cluster.status.analysis.checks
    assert (errors.name, errors.template) == ("errors", "CheckTemplate/slo")
    cluster.spec = judged("2", checks=[{"name": "errors", "metric": "ErrorRate", "max": "1%"}])
    cluster.run(1)
    seen(cluster, Verdict.FAIL)
    assert cluster.status.analysis
    assert cluster.status.analysis.checks[0].template is None
