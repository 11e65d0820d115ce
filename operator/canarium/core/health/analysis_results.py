"""What the last evaluation of the analysis means for the target (R17)."""

from __future__ import annotations

from canarium.api.effective_analysis import TemplateReference
from canarium.api.reasons import CheckReason, FailureReason, HoldReason
from canarium.api.status import AnalysisStatus
from canarium.core.context.context import RolloutContext
from canarium.core.context.position import analysis_of
from canarium.core.evidence.verdict import Evidence, Finding, Verdict
from canarium.core.facts.check_templates import with_templates
from canarium.core.health.cause import Cause

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


def failure(ctx: RolloutContext) -> Cause | None:
    """Returns why the target fails its analysis; None if it does not."""
    evidence = evidence_of(ctx)
    if ctx.settings.analysis is None or evidence is None or evidence.failed is None:
        return None
    if ctx.stable_replicas == 0:
        return None  # No version is judged without pods.
    finding = evidence.failed
    error = finding.error
    reason = FailureReason.ANALYSIS_ERROR if error else FailureReason.ANALYSIS_FAILED
    return cause_of(reason, finding)


def holding_check(ctx: RolloutContext) -> Finding | None:
    """Returns the failed check of the target whose policy is to hold; None without one."""
    evidence = evidence_of(ctx)
    return evidence.holding if ctx.settings.analysis is not None and evidence else None


def bake_hold(ctx: RolloutContext) -> str | None:
    """Returns why the bake is held: a check failed whose policy is Hold.

    After a restart of the operator the bake stays on hold until there is new evidence (R18).
    """
    finding = holding_check(ctx)
    if finding:
        return f"check {finding.check} failed: {finding.message}"
    held = (
        ctx.status.waiting_for is not None
        and ctx.status.waiting_for.awaited is HoldReason.CHECK_FAILED
    )
    return "waiting for new analysis results" if held and evidence_of(ctx) is None else None


def cause_of(reason: str, finding: Finding) -> Cause:
    """Returns a finding as the cause of a rollback, with its numbers."""
    return Cause(
        reason,
        f"check {finding.check}: {finding.message}",
        observed=f"{finding.value:.6g}" if finding.value is not None else None,
        threshold=f"{finding.threshold:.6g}" if finding.threshold is not None else None,
        samples=round(finding.samples) if finding.samples is not None else None,
    )


def requires_verdict(ctx: RolloutContext, weight: int) -> bool:
    """Returns whether a step of `weight` needs a verdict; weight 0 is analysed by mirrored
    requests."""
    return analysis_of(ctx, weight) is not None


def step_evidence(ctx: RolloutContext, since: float) -> Evidence | None:
    """Returns the last evaluation, if its window began with the step that began at `since`."""
    evidence = evidence_of(ctx)
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


def evidence_of(ctx: RolloutContext) -> Evidence | None:
    """Returns the last evaluation, if it is of the target."""
    evidence = ctx.observed.evidence
    return evidence if evidence and evidence.revision == ctx.target else None


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
