"""The gate before a version's first traffic (R4), and the verdicts after it (R17)."""

from __future__ import annotations

from canarium.api.status import AnalysisStatus, CheckStatus
from canarium.core.analysis import Evidence, Finding
from canarium.core.health import Cause
from canarium.core.moments import stamp
from canarium.core.plan import Event
from canarium.core.position import analysis_of
from canarium.core.situation import Situation

#: Reasons for which the spec, not the version, has to be put right.
SPEC_AT_FAULT = frozenset(
    {
        "AccessDenied",
        "AddressRefused",
        "AnswerTooLarge",
        "EvaluationLimit",
        "InvalidConfigMap",
        "InvalidCredentials",
        "InvalidQuery",
        "NoMatch",
        "NoSuchMetric",
        "TooManySeries",
        "UntrustedCertificate",
    }
)


def smoke(s: Situation) -> Cause | bool:
    """Whether the wanted revision may get traffic: True, False (not known yet), or why not.

    One that has traffic has passed: none is given before. Later pods are gated by readiness.
    """
    if not s.settings.gated or s.progress.weight > 0 or s.given:
        return True
    report = s.observed.smoke
    if report is None or report.revision != s.target:
        return False
    if report.passed:
        return True
    if report.unusable or report.unreachable:
        return False
    return Cause("SmokeTestFailed", report.message, pod=report.pod, samples=report.asked)


def unusable_tests(s: Situation) -> str | None:
    """Why the smoke tests cannot be carried out as the spec has them (R21)."""
    report = s.observed.smoke
    if report is None or report.revision != s.target or not report.unusable:
        return None
    return report.message


def condemned(s: Situation) -> Cause | None:
    """Why the revision that is judged fails, if it does."""
    evidence = _evidence(s)
    if s.settings.judging is None or evidence is None or evidence.failed is None:
        return None
    found = evidence.failed
    reason = "AnalysisError" if found.error else "AnalysisFailed"
    return cause_of(reason, found)


def cause_of(reason: str, found: Finding) -> Cause:
    """A finding as the reason for a rollback, with its numbers."""
    return Cause(
        reason,
        f"check {found.check}: {found.message}",
        observed=f"{found.value:.6g}" if found.value is not None else None,
        threshold=f"{found.threshold:.6g}" if found.threshold is not None else None,
        samples=round(found.samples) if found.samples is not None else None,
    )


def judges(s: Situation, weight: int) -> bool:
    """Whether a step of `weight` is judged; one of weight 0 by the requests that are mirrored."""
    return analysis_of(s, weight) is not None


def step_evidence(s: Situation, since: float) -> Evidence | None:
    """The last look, if its window began with the step that began at `since`."""
    evidence = _evidence(s)
    return evidence if evidence and abs(evidence.since - since) < 0.01 else None


def _evidence(s: Situation) -> Evidence | None:
    evidence = s.observed.evidence
    return evidence if evidence and evidence.revision == s.target else None


def analysis_status(s: Situation, *, running: bool) -> AnalysisStatus | None:
    """The verdicts as the status keeps them: renewed when one changes, not with every look."""
    old, evidence = s.status.analysis, _evidence(s)
    if s.settings.judging is None:
        return None
    if evidence is None:
        return old if old and running and old.revision == s.target else None
    new = AnalysisStatus(
        revision=evidence.revision,
        since=stamp(evidence.since),
        checks=tuple(_check(finding, evidence.at) for finding in evidence.findings),
    )
    same = old and (old.revision, old.since) == (new.revision, new.since)
    return old if same and old and _verdicts(old) == _verdicts(new) else new


def _verdicts(found: AnalysisStatus) -> list[tuple[str, str, str]]:
    return [(check.name, check.verdict, check.reason) for check in found.checks]


def _check(found: Finding, at: float) -> CheckStatus:
    def short(value: float | None) -> float | None:
        return float(f"{value:.6g}") if value is not None else None

    return CheckStatus(
        name=found.check,
        verdict=found.verdict.value,
        reason=found.reason,
        message=found.message,
        value=short(found.value),
        threshold=short(found.threshold),
        stable=short(found.stable),
        samples=round(found.samples) if found.samples is not None else None,
        at=stamp(at),
    )


def verdict_events(before: AnalysisStatus | None, after: AnalysisStatus | None) -> list[Event]:
    """An Event for each check whose verdict became Pass or Fail, or that lost its Pass."""
    if after is None:
        return []
    same = before and (before.revision, before.since) == (after.revision, after.since)
    known = {c.name: c.verdict for c in before.checks} if same and before else {}
    events = []
    for check in after.checks:
        old = known.get(check.name)
        if check.verdict == old or (check.verdict == "Insufficient" and old is None):
            continue
        text = f"revision {after.revision}: check {check.name}: {check.message}"
        if check.samples is not None:
            text += f"; {check.samples} observations"
        kind = "Normal" if check.verdict == "Pass" else "Warning"
        events.append(Event(kind, f"Analysis{_WORDS[check.verdict]}", text))
    return events


_WORDS = {"Pass": "Passed", "Fail": "Failed", "Insufficient": "Insufficient"}


def spec_fault(found: AnalysisStatus | None) -> tuple[str, str] | None:
    """Reason and text of the first check that cannot be carried out as the spec has it."""
    for check in found.checks if found else ():
        if check.reason in SPEC_AT_FAULT:
            return check.reason, f"spec.rollout.analysis.checks[{check.name}]: {check.message}"
    return None
