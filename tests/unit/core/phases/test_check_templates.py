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
from canarium.core.facts.observed import Rejection
from core.cluster import Cluster, gateway_spec, spec
from core.health.analysis_scenarios import CHECKS, seen
from core.pause_scenarios import order
from core.phases.test_gates import decide, gate
from core.phases.test_web_gates import condition

rule = pytest.mark.rule
SLO = ("CheckTemplate", "slo")
USE = {"name": "slo", "args": {"max": "1%"}}
MAKES = pytest.mark.parametrize("make", [spec, gateway_spec], ids=["service", "gateway"])


def slo(name: str = "errors", bound: str = "{{ args.max }}", **more: Any) -> dict[str, Any]:
    checks = [{"name": name, "metric": "ErrorRate", "max": bound}]
    return {"args": [{"name": "max"}], "checks": checks, **more}


def judged(version: str, *uses: dict[str, Any], make: Any = spec, **analysis: Any) -> Any:
    made = make(version)
    templates = {"templates": list(uses)} if uses else {}
    made["rollout"] |= {"analysis": {**templates, **analysis}}
    return made


def rolling(
    *uses: dict[str, Any],
    templates: dict[tuple[str, str], Any] | None = None,
    seconds: float = 8,
    make: Any = spec,
    **analysis: Any,
) -> Cluster:
    """Version 1 promoted without an analysis, version 2 with one on its way for so long."""
    cluster = Cluster(make("1")).run(10)
    cluster.check_templates |= {SLO: slo()} if templates is None else templates
    cluster.spec = judged("2", *(uses or (USE,)), make=make, **analysis)
    return cluster.run(seconds)


def recorded(cluster: Cluster, version: str = "2") -> list[dict[str, Any]]:
    record = next(r for r in cluster.records if r.revision == cluster.revision(version))
    return list(json.loads(record.check_templates or "[]"))


def waits(cluster: Cluster, reason: str = "AnalysisNotReady") -> bool:
    return cluster.status.waiting_for is not None and cluster.status.waiting_for.reason == reason


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
    name = f"ControllerRevision m-{cluster.revision('2')}"
    cluster.rejection = Rejection(name, "denied by policy", reason="PolicyDenied")
    cluster.check_templates[SLO] = slo()
    cluster.run(30)
    assert cluster.status.weight == 0
    assert "denied by policy" in cluster.status.message
    status, reason, text = condition(cluster, "AnalysisReady")
    assert (status, reason) == ("False", "PolicyDenied")
    assert "denied by policy" in text
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
