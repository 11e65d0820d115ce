"""The analysis of the target in the status, and the Events of its verdicts (R17)."""

from __future__ import annotations

from canarium.api.effective_analysis import TemplateReference
from canarium.api.reasons import EventReason
from canarium.api.status import AnalysisStatus, CheckedObject, CheckEvaluation, CheckStatus
from canarium.core.context.context import RolloutContext
from canarium.core.decision.plan import Event
from canarium.core.evidence.history import PastEvaluation, evaluations_per_check
from canarium.core.evidence.verdict import Finding
from canarium.core.health.analysis_results import evidence_of, template_of
from canarium.core.times import stamp


def analysis_status(ctx: RolloutContext, *, running: bool) -> AnalysisStatus | None:
    """Returns the verdicts for the status: updated when one changes, or what has to be corrected,
    not with every evaluation."""
    old, evidence = ctx.status.analysis, evidence_of(ctx)
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
    evidence, old = evidence_of(ctx), ctx.status.analysis
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
    "Pass": EventReason.CHECK_PASSED,
    "Fail": EventReason.CHECK_FAILED,
    "Insufficient": EventReason.CHECK_INSUFFICIENT,
}
