"""The gate before the first traffic of a version (R4), and the verdicts of its analysis (R17)."""

from __future__ import annotations

from canarium.api.effective_analysis import TemplateReference
from canarium.api.reasons import (
    CheckReason,
    ConditionReason,
    ConnectionLoss,
    EventReason,
    FailureReason,
    HoldReason,
)
from canarium.api.status import AnalysisStatus, CheckedObject, CheckEvaluation, CheckStatus
from canarium.core.context.context import RolloutContext
from canarium.core.context.position import analysis_of
from canarium.core.decision.plan import Event
from canarium.core.evidence.history import PastEvaluation, evaluations_per_check
from canarium.core.evidence.verdict import Evidence, Finding, Verdict
from canarium.core.facts.check_templates import with_templates
from canarium.core.health.cause import Cause
from canarium.core.times import stamp

_POLICY = "a NetworkPolicy that does not admit the operator"
_MESH = "a service mesh that requires mutual TLS, or a NetworkPolicy"
#: Likely causes of a lost connection to a Ready pod, by kind (`SmokeReport.unreachable`).
_LIKELY: dict[str, str] = {
    ConnectionLoss.REFUSED: "a port that only the pod itself can reach, or a NetworkPolicy",
    ConnectionLoss.RESET: _MESH,
    ConnectionLoss.TIMED_OUT: _POLICY,
    ConnectionLoss.NO_ROUTE: _POLICY,
}
#: Holds that request the smoke tests.
SMOKE_WAITS = (HoldReason.SMOKE_TESTS, HoldReason.PODS_UNREACHABLE)
#: Reasons for which the spec, not the version, has to be corrected.
SPEC_AT_FAULT: frozenset[str] = frozenset(
    {
        CheckReason.ACCESS_DENIED,
        CheckReason.ADDRESS_REFUSED,
        CheckReason.ANSWER_TOO_LARGE,
        CheckReason.EVALUATION_LIMIT,
        CheckReason.INVALID_CONFIG_MAP,
        CheckReason.INVALID_CREDENTIALS,
        CheckReason.INVALID_QUERY,
        CheckReason.NO_MATCH,
        CheckReason.NO_PROMETHEUS,
        CheckReason.NO_SUCH_METRIC,
        # Neither version nor spec: the network does not admit the operator.
        CheckReason.PODS_UNREACHABLE,
        CheckReason.TOO_MANY_SERIES,
        CheckReason.UNTRUSTED_CERTIFICATE,
    }
)


def smoke(ctx: RolloutContext) -> Cause | bool:
    """Returns whether the target may receive traffic: True, False (unknown yet), or why not.

    A candidate that has traffic has passed, since it receives none before. Readiness gates its
    later pods.
    """
    if not ctx.settings.gated or ctx.progress.weight > 0 or ctx.candidate_has_traffic:
        return True
    report = ctx.observed.smoke
    if report is None or report.revision != ctx.target:
        return False
    if report.passed:
        return True
    if report.unusable or report.unreachable:
        return False
    return Cause(
        FailureReason.SMOKE_TEST_FAILED, report.message, pod=report.pod, samples=report.tested
    )


def inconclusive_tests(ctx: RolloutContext) -> tuple[str, str] | None:
    """Returns reason and text why the smoke tests have no result: the spec is wrong (R21), or the
    operator cannot connect to a ready pod, which does not count as a wrong answer (R7)."""
    report = ctx.observed.smoke
    if report is None or report.revision != ctx.target:
        return None
    if report.unusable:
        wrong = report.reason is CheckReason.INVALID_TEST
        return ConditionReason.INVALID_TEST if wrong else report.reason, report.message
    if report.unreachable:
        cause = _LIKELY.get(report.unreachable, _POLICY)
        where = f" (pod/{report.pod}, which is Ready)" if report.pod else ""
        text = f"{report.message}{where}. Likely cause: {cause}. Retrying"
        return HoldReason.PODS_UNREACHABLE, text
    return None


def smoke_wait(ctx: RolloutContext) -> HoldReason:
    """Returns the reason of the wait for smoke tests; both reasons request the tests."""
    inconclusive = inconclusive_tests(ctx)
    unreached = inconclusive is not None and inconclusive[0] == HoldReason.PODS_UNREACHABLE
    return HoldReason.PODS_UNREACHABLE if unreached else HoldReason.SMOKE_TESTS


def condemned(ctx: RolloutContext) -> Cause | None:
    """Returns why the target fails its analysis; None if it does not."""
    evidence = _evidence(ctx)
    if ctx.settings.analysis is None or evidence is None or evidence.failed is None:
        return None
    if ctx.stable_replicas == 0:
        return None  # No version is judged without pods.
    finding = evidence.failed
    error = finding.error
    reason = FailureReason.ANALYSIS_ERROR if error else FailureReason.ANALYSIS_FAILED
    return cause_of(reason, finding)


def frozen(ctx: RolloutContext) -> Finding | None:
    """Returns the failed check of the target whose policy is to hold; None without one."""
    evidence = _evidence(ctx)
    return evidence.frozen if ctx.settings.analysis is not None and evidence else None


def bake_frozen(ctx: RolloutContext) -> str | None:
    """Returns why the bake is held: a check failed whose policy is Hold.

    After a restart of the operator the bake stays on hold until there is new evidence (R18).
    """
    finding = frozen(ctx)
    if finding:
        return f"check {finding.check} failed: {finding.message}"
    held = (
        ctx.status.waiting_for is not None
        and ctx.status.waiting_for.awaited is HoldReason.ANALYSIS_FAILED
    )
    return "waiting for new analysis results" if held and _evidence(ctx) is None else None


def cause_of(reason: str, finding: Finding) -> Cause:
    """Returns a finding as the cause of a rollback, with its numbers."""
    return Cause(
        reason,
        f"check {finding.check}: {finding.message}",
        observed=f"{finding.value:.6g}" if finding.value is not None else None,
        threshold=f"{finding.threshold:.6g}" if finding.threshold is not None else None,
        samples=round(finding.samples) if finding.samples is not None else None,
    )


def judges(ctx: RolloutContext, weight: int) -> bool:
    """Returns whether a step of `weight` needs a verdict; weight 0 is analysed by mirrored
    requests."""
    return analysis_of(ctx, weight) is not None


def step_evidence(ctx: RolloutContext, since: float) -> Evidence | None:
    """Returns the last evaluation, if its window began with the step that began at `since`."""
    evidence = _evidence(ctx)
    return evidence if evidence and abs(evidence.since - since) < 0.01 else None


def passes(ctx: RolloutContext, evidence: Evidence) -> bool:
    """Returns whether every check passes, those of templates included."""
    return evidence.verdict is Verdict.PASS and is_current(ctx, evidence)


def is_current(ctx: RolloutContext, evidence: Evidence) -> bool:
    """Returns whether the evidence is of the checks that judge the target now.

    The last evaluation may be older than an edit of a bound, or than a template that was added.
    """
    analysis = ctx.settings.analysis
    if analysis is None:
        return False
    return evidence.checks == with_templates(analysis, ctx.template_checks.templates).checks


def _evidence(ctx: RolloutContext) -> Evidence | None:
    evidence = ctx.observed.evidence
    return evidence if evidence and evidence.revision == ctx.target else None


def analysis_status(ctx: RolloutContext, *, running: bool) -> AnalysisStatus | None:
    """Returns the verdicts for the status: updated when one changes, or what has to be corrected,
    not with every evaluation."""
    old, evidence = ctx.status.analysis, _evidence(ctx)
    if ctx.settings.analysis is None:
        return None
    if evidence is None:
        return old if old and running and old.revision == ctx.target else None
    new = AnalysisStatus(
        revision=evidence.revision,
        start_time=stamp(evidence.since),
        checks=tuple(
            _check(finding, evidence.at, template_of(ctx, finding.check))
            for finding in evidence.findings
        ),
    )
    same = old and (old.revision, old.start_time) == (new.revision, new.start_time)
    return old if same and old and _verdicts(old) == _verdicts(new) else new


def with_evaluations(ctx: RolloutContext, analysis: AnalysisStatus) -> AnalysisStatus:
    """Returns the verdicts with the last evaluations of each check, for a status that is written
    anyway: no evaluation causes a write (decision 0036).

    Those of the stored status precede what the operator has measured since it started.
    """
    evidence, old = _evidence(ctx), ctx.status.analysis
    if evidence is None or evidence.revision != analysis.revision:
        return analysis
    same = old is not None and old.revision == analysis.revision
    before = {c.name: c.evaluations for c in old.checks} if old and same else {}
    measured = dict(zip((f.check for f in evidence.findings), evidence.histories, strict=False))
    limit = evaluations_per_check(len(analysis.checks))
    checks = []
    for check in analysis.checks:
        new = tuple(_evaluation(one) for one in measured.get(check.name, ()))
        # Times of one format: their order as texts is the order in time.
        earlier = [one for one in before.get(check.name, ()) if not new or one.time < new[0].time]
        checks.append(check.model_copy(update={"evaluations": (*earlier, *new)[-limit:]}))
    return analysis.model_copy(update={"checks": tuple(checks)})


def _verdicts(analysis: AnalysisStatus) -> list[tuple[str, str, str, CheckedObject | None]]:
    return [(c.name, c.verdict, c.reason, c.object) for c in analysis.checks]


def _evaluation(evaluation: PastEvaluation) -> CheckEvaluation:
    # Not validated again: the values are those of a finding.
    return CheckEvaluation.model_construct(
        time=stamp(evaluation.at),
        verdict=evaluation.verdict,
        value=_short(evaluation.value),
        threshold=_short(evaluation.threshold),
        stable=_short(evaluation.stable),
        samples=round(evaluation.samples) if evaluation.samples is not None else None,
    )


def _short(value: float | None) -> float | None:
    return float(f"{value:.6g}") if value is not None else None


def _check(finding: Finding, at: float, template: TemplateReference | None) -> CheckStatus:
    faulty = finding.faulty
    return CheckStatus(
        name=finding.check,
        template=template.title if template else None,
        verdict=finding.verdict.value,
        reason=finding.reason,
        message=finding.message,
        object=faulty
        and CheckedObject(
            kind=faulty.kind,
            name=faulty.name,
            key=faulty.key or None,
            problem=faulty.problem.value,
        ),
        value=_short(finding.value),
        threshold=_short(finding.threshold),
        stable=_short(finding.stable),
        samples=round(finding.samples) if finding.samples is not None else None,
        time=stamp(at),
    )


def verdict_events(before: AnalysisStatus | None, after: AnalysisStatus | None) -> list[Event]:
    """Returns an Event for each check whose verdict became Pass or Fail, or is no longer Pass."""
    if after is None:
        return []
    same = before and (before.revision, before.start_time) == (after.revision, after.start_time)
    old_verdicts = {c.name: c.verdict for c in before.checks} if same and before else {}
    events = []
    for check in after.checks:
        old = old_verdicts.get(check.name)
        if check.verdict == old or (check.verdict == "Insufficient" and old is None):
            continue
        text = f"revision {after.revision}: check {check.name}: {check.message}"
        if check.samples is not None:
            text += f" ({check.samples} observations)"
        kind = "Normal" if check.verdict == "Pass" else "Warning"
        events.append(Event(kind, _EVENTS[check.verdict], text))
    return events


_EVENTS = {
    "Pass": EventReason.ANALYSIS_PASSED,
    "Fail": EventReason.ANALYSIS_FAILED,
    "Insufficient": EventReason.ANALYSIS_INSUFFICIENT,
}


def spec_fault(ctx: RolloutContext, analysis: AnalysisStatus | None) -> tuple[str, str] | None:
    """Returns reason and text of the first check that the spec makes impossible; None without
    one."""
    for check in analysis.checks if analysis else ():
        if check.reason in SPEC_AT_FAULT:
            return check.reason, f"{_field(ctx, check.name)}: {check.message}"
    return None


def _field(ctx: RolloutContext, check: str) -> str:
    """Returns where the spec has a check: as its own, or as one of a template."""
    template = template_of(ctx, check)
    if template:
        return f"spec.rollout.analysis.templates[{template.name}]: check {check}"
    return f"spec.rollout.analysis.checks[{check}]"


def template_of(ctx: RolloutContext, check: str) -> TemplateReference | None:
    """Returns the template that a check is from; None for one of the spec itself, which counts
    where both have the name."""
    analysis = ctx.settings.analysis
    if analysis and any(own.name == check for own in analysis.checks):
        return None
    templates = ctx.template_checks.templates
    return next(
        (one.reference for one in templates if any(each.name == check for each in one.checks)), None
    )
