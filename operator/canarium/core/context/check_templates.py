"""The checks of templates that judge the target, and why some are missing (R17).

`core.facts.check_templates` has the theory.
"""

from __future__ import annotations

from dataclasses import dataclass

from canarium.core.context.context import RolloutContext
from canarium.core.context.rollout import RolloutFacts
from canarium.core.facts.check_templates import (
    ExpandedTemplate,
    expanded,
    overlap,
    path_of,
    templates_from_json,
)
from canarium.core.messages import object_name

_QUOTED = 1024
#: Reason, and text with the path of the field.
Missing = tuple[str, str]


@dataclass(frozen=True, slots=True)
class TemplateChecks:
    """The templates of the spec that can be evaluated, in its order.

    `unrecorded`: the record of the target lacks some of them. `missing`: why others cannot be.
    """

    templates: tuple[ExpandedTemplate, ...] = ()
    unrecorded: bool = False
    missing: Missing | None = None


def template_checks(rollout: RolloutFacts) -> TemplateChecks:
    """Returns the templates of the target: as its record has them, otherwise as they are now."""
    analysis = rollout.settings.analysis
    if analysis is None or not analysis.templates:
        return TemplateChecks()
    recorded = {one.reference: one for one in recorded_templates(rollout)}
    templates, unrecorded, missing = [], False, None
    for reference in analysis.templates:
        one = recorded.get(reference) or expanded(reference, rollout.observed.check_templates)
        if isinstance(one, ExpandedTemplate):
            templates.append(one)
            unrecorded |= reference not in recorded
        else:
            missing = missing or (one.reason.value, f"{path_of(one, reference)}: {one.text}")
    fault = overlap(analysis, templates)
    if fault and missing is None:
        missing = (fault.reason.value, f"{path_of(fault, None)}: {fault.text}")
    return TemplateChecks(tuple(templates), unrecorded, missing)


def recorded_templates(rollout: RolloutFacts) -> tuple[ExpandedTemplate, ...]:
    """Returns the templates on the target's record; none before its rollout has started.

    A revision that returns starts another rollout, which is judged by the current templates.
    """
    record = rollout.observed.record(rollout.target)
    if record is None or not record.check_templates or _is_about_to_start(rollout):
        return ()
    return templates_from_json(record.check_templates)


def _is_about_to_start(rollout: RolloutFacts) -> bool:
    """Returns whether nothing of the target exists yet, by the cluster and by the status."""
    if rollout.quarantined or rollout.target == rollout.stable:
        return False
    candidate = rollout.status.candidate
    is_reported = candidate is not None and candidate.revision == rollout.target
    exists = rollout.observed.deployment(rollout.target) or rollout.observed.pods_of(rollout.target)
    return not (exists or is_reported or rollout.candidate_has_traffic)


def missing_checks(ctx: RolloutContext) -> Missing | None:
    """Returns why the candidate must not rise: reason and text; None while nothing is missing.

    A version that was promoted before returns without an analysis of its steps (R11), promote-full
    skips it, and strategy Recreate has none.
    """
    if ctx.progress.full or ctx.active_command("promote-full") or ctx.strategy == "Recreate":
        return None
    if ctx.target in ctx.promoted_revisions:
        return None
    checks = template_checks(ctx)
    rejection = ctx.observed.refused(f"ControllerRevision {ctx.name}-{ctx.target}")
    if checks.missing is None and checks.unrecorded and rejection:
        return rejection.reason, f"{object_name(rejection.what)}: {rejection.message[:_QUOTED]}"
    return checks.missing
