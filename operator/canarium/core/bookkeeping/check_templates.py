"""Records the checks of templates that judge the target (R17)."""

from __future__ import annotations

from canarium.core.context.context import RolloutContext
from canarium.core.decision.phase_result import PhaseResult
from canarium.core.decision.plan import AnnotateRevision
from canarium.core.facts.check_templates import ANNOTATION, LONGEST, templates_to_json


def recorded_checks(ctx: RolloutContext, result: PhaseResult) -> tuple[AnnotateRevision, ...]:
    """Returns the write of the templates on the target's record; none if it has them.

    It precedes all other writes, so no traffic moves to a version before it is known how that is
    judged. A failure does not wait for it.
    """
    is_judged = ctx.stable is not None and (ctx.target != ctx.stable or ctx.previous is not None)
    if not is_judged or ctx.quarantined or result.failure is not None:
        return ()
    record = ctx.observed.record(ctx.target)
    if record is None or ctx.record_rejection(ctx.target):
        return ()
    if not ctx.template_checks.unrecorded:
        return ()
    text = templates_to_json(ctx.template_checks.templates)
    if text == record.check_templates or len(text) > LONGEST:
        return ()
    return (AnnotateRevision(ctx.target, ((ANNOTATION, text),)),)
