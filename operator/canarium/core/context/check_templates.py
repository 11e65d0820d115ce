"""The checks of templates that judge the target, and why some are missing (R17).

`core.facts.check_templates` has the theory.
"""

from __future__ import annotations

from dataclasses import dataclass

from canarium import GROUP
from canarium.api.effective_analysis import TemplateReference
from canarium.api.reasons import ConditionReason
from canarium.api.template_arguments import Fault
from canarium.core.context.rollout import RolloutFacts
from canarium.core.facts.check_templates import (
    ANNOTATION,
    ExpandedTemplate,
    expanded,
    overlap,
    path_of,
    templates_from_json,
)
from canarium.core.facts.object_ref import ObjectRef
from canarium.core.facts.observed import Rejection

#: Reason, and text with the path of the field.
Missing = tuple[str, str]


@dataclass(frozen=True, slots=True)
class TemplateChecks:
    """The templates of the spec that can be evaluated, in its order.

    `unrecorded`: the record of the target lacks some of them. `missing`: why others cannot be, or
    why the record cannot be written.
    """

    templates: tuple[ExpandedTemplate, ...] = ()
    unrecorded: bool = False
    missing: Missing | None = None
    #: Rejected write of the record, where that is what is missing.
    rejection: Rejection | None = None


def template_checks(rollout: RolloutFacts) -> TemplateChecks:
    """Returns the templates of the target: as its record has them, otherwise as they are now."""
    analysis = rollout.settings.analysis
    if analysis is None or not analysis.templates:
        return TemplateChecks()
    recorded = {one.reference: one for one in recorded_templates(rollout)}
    templates, unrecorded, missing = [], False, None
    is_readable = True
    for reference in analysis.templates:
        one = recorded.get(reference) or expanded(reference, rollout.observed.check_templates)
        if isinstance(one, ExpandedTemplate) and not one.checks:
            is_readable, one = False, _unreadable(rollout, reference)
        if isinstance(one, ExpandedTemplate):
            templates.append(one)
            unrecorded |= reference not in recorded
        else:
            missing = missing or (one.reason.value, f"{path_of(one, reference)}: {one.text}")
    fault = overlap(analysis, templates)
    if fault and missing is None:
        missing = (fault.reason.value, f"{path_of(fault, None)}: {fault.text}")
    rejection = rollout.record_rejection(rollout.target)
    if missing is not None or not unrecorded:
        rejection = None
    if rejection is not None:
        text = rejection.quoted()
        missing = (rejection.reason, text)
    # A write would drop from the record what a later version can read.
    return TemplateChecks(tuple(templates), unrecorded and is_readable, missing, rejection)


def _unreadable(rollout: RolloutFacts, reference: TemplateReference) -> Fault:
    record = ObjectRef("ControllerRevision", f"{rollout.name}-{rollout.target}")
    text = (
        f"{record} has checks of {reference.title} that this version of the operator cannot read. "
        f"Upgrade the operator, or remove annotation {GROUP}/{ANNOTATION} from that object to use "
        "the template as it is now"
    )
    return Fault(ConditionReason.INVALID_CHECK_TEMPLATE, "", text)


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
