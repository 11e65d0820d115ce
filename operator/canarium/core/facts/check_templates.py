"""Checks of templates, as the record of a revision stores them (R17).

Theory. A template is expanded with the arguments of the model when the rollout of a revision
starts, and the result is stored on the record of that very revision. From then on the revision is
judged by what is stored: neither an edit nor the deletion of the template changes that, and a crash
repeats nothing. What the spec itself sets applies at once, as for its own checks (R12): a use that
is added during the rollout, or gets other arguments, is expanded and stored then; one that is
removed from the spec is evaluated no more.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from pydantic import ValidationError

from canarium.api.analysis import MAX_CHECKS, Check
from canarium.api.effective_analysis import (
    EffectiveAnalysis,
    EffectiveCheck,
    TemplateReference,
    effective_check,
)
from canarium.api.reasons import ConditionReason
from canarium.api.template_arguments import Fault, TemplateFault, expand

#: Name of the annotation of a record, without the group.
ANNOTATION = "check-templates"
#: Characters on a record; the API server limits all annotations of an object to 256 KiB.
LONGEST = 65_536
#: Characters of the spec of a template. Records bound what it may expand to, and a decision must
#: not take long to find that out.
LONGEST_SPEC = 131_072
_TOO_LONG = f"is longer than {LONGEST_SPEC >> 10} KiB"
_FIELD = "spec.rollout.analysis"


@dataclass(frozen=True, slots=True)
class CheckTemplate:
    """A CheckTemplate or ClusterCheckTemplate with its spec, as canonical JSON.

    `unusable`: why there is no spec; reason and the end of a sentence about the template.
    """

    kind: str
    name: str
    spec: str = ""
    unusable: tuple[ConditionReason, str] | None = None


def check_template(kind: str, name: str, spec: Mapping[str, Any]) -> CheckTemplate:
    """Returns a template with this raw `spec`, if that is not too long to be expanded."""
    text = _judging(spec)
    if len(text) > LONGEST_SPEC:
        return CheckTemplate(kind, name, "", (ConditionReason.INVALID_CHECK_TEMPLATE, _TOO_LONG))
    return CheckTemplate(kind, name, text)


def size_fault(title: str, spec: Mapping[str, Any]) -> Fault | None:
    """Returns that the template `title` is too long to be expanded; None if it is not."""
    if len(_judging(spec)) <= LONGEST_SPEC:
        return None
    return Fault(ConditionReason.INVALID_CHECK_TEMPLATE, "", f"{title} {_TOO_LONG}")


def _judging(spec: Mapping[str, Any]) -> str:
    """Returns what judges; what people read, such as a description, does not."""
    judging = {key: spec[key] for key in ("args", "checks") if key in spec}
    return json.dumps(judging, sort_keys=True, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class ExpandedTemplate:
    """The checks of a template with the arguments of a model.

    Without checks, they are on the record and cannot be read by this version of the operator.
    """

    reference: TemplateReference
    checks: tuple[Check, ...]


def expanded(
    reference: TemplateReference, templates: Iterable[CheckTemplate]
) -> ExpandedTemplate | Fault:
    """Returns the checks of a template as it is now, or why it has none."""
    wanted = (reference.kind, reference.name)
    template = next((one for one in templates if (one.kind, one.name) == wanted), None)
    if template is None:
        text = f"{reference.title} does not exist"
        return Fault(ConditionReason.CHECK_TEMPLATE_NOT_FOUND, "", text)
    if template.unusable:
        reason, text = template.unusable
        return Fault(reason, "", f"{reference.title} {text}")
    return _expanded(reference, template.spec)


@lru_cache(maxsize=16)
def _expanded(reference: TemplateReference, spec: str) -> ExpandedTemplate | Fault:
    try:
        raw = json.loads(spec)
    except (ValueError, RecursionError):
        raw = None
    if not isinstance(raw, dict):
        text = f"{reference.title}: its spec cannot be read"
        return Fault(ConditionReason.INVALID_CHECK_TEMPLATE, "", text)
    return expanded_from(reference, raw)


def expanded_from(
    reference: TemplateReference, spec: Mapping[str, Any]
) -> ExpandedTemplate | Fault:
    """Returns the checks of a template with this raw `spec`, or why it has none."""
    if fault := size_fault(reference.title, spec):
        return fault
    try:
        return ExpandedTemplate(reference, expand(reference.title, spec, dict(reference.args)))
    except TemplateFault as error:
        return error.fault


def templates_to_json(templates: Iterable[ExpandedTemplate]) -> str:
    """Returns the value of the annotation."""
    entries = [
        {
            "kind": one.reference.kind,
            "name": one.reference.name,
            "args": dict(one.reference.args),
            "checks": [check.model_dump(by_alias=True, exclude_unset=True) for check in one.checks],
        }
        for one in templates
    ]
    return json.dumps(entries, sort_keys=True, separators=(",", ":"))


@lru_cache(maxsize=64)
def templates_from_json(text: str | None) -> tuple[ExpandedTemplate, ...]:
    """Parses the annotation. An entry whose checks cannot be read, or that has none, has no checks.

    What does not name a template is dropped, so that the template is expanded again.
    """
    if not text or len(text) > LONGEST:
        return ()
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        return ()
    entries = parsed[:MAX_CHECKS] if isinstance(parsed, list) else []
    templates = (_entry(entry) for entry in entries if isinstance(entry, Mapping))
    return tuple(one for one in templates if one)


def _entry(entry: Mapping[str, Any]) -> ExpandedTemplate | None:
    kind, name, args, checks = (entry.get(key) for key in ("kind", "name", "args", "checks"))
    if not (isinstance(kind, str) and isinstance(name, str) and isinstance(args, Mapping)):
        return None
    if not all(isinstance(value, str) for value in args.values()):
        return None
    listed = checks[:MAX_CHECKS] if isinstance(checks, list) else []
    try:
        parsed = tuple(Check.model_validate(check) for check in listed)
    except ValidationError:
        parsed = ()
    return ExpandedTemplate(TemplateReference(kind, name, tuple(sorted(args.items()))), parsed)


def of_spec(
    analysis: EffectiveAnalysis, templates: Iterable[ExpandedTemplate]
) -> tuple[ExpandedTemplate, ...]:
    """Returns those of `templates` that the spec uses, in its order."""
    by_reference = {one.reference: one for one in templates}
    used = (by_reference.get(reference) for reference in analysis.templates)
    return tuple(one for one in used if one)


def with_templates(
    analysis: EffectiveAnalysis, templates: Iterable[ExpandedTemplate]
) -> EffectiveAnalysis:
    """Returns `analysis` with the checks of those of `templates` that it uses.

    Of two checks with the same name the first counts, and no more than `MAX_CHECKS` do: `overlap`
    reports that, and holds the rollout, but what can be evaluated still is.
    """
    if not analysis.templates:
        return analysis
    checks: dict[str, EffectiveCheck] = {check.name: check for check in analysis.checks}
    for one in of_spec(analysis, templates):
        for check in one.checks:
            effective = effective_check(check, analysis.defaults, one.reference.title)
            checks.setdefault(check.name, effective)
    return replace(analysis, checks=tuple(checks.values())[:MAX_CHECKS])


def overlap(analysis: EffectiveAnalysis, templates: Iterable[ExpandedTemplate]) -> Fault | None:
    """Returns why the checks of the spec and of its templates do not go together; None if they
    do."""
    places = {check.name: f"{_FIELD}.checks" for check in analysis.checks}
    count = len(analysis.checks)
    used = of_spec(analysis, templates)
    for one in used:
        for check in one.checks:
            first = places.setdefault(check.name, one.reference.title)
            if first != one.reference.title:
                text = f"its check {check.name} is also in {first}: rename one of the two"
                field = f"templates[{one.reference.name}]"
                return Fault(ConditionReason.DUPLICATE_CHECK, field, text)
        count += len(one.checks)
    if count > MAX_CHECKS:
        text = f"there are {count} checks with those of all templates, and at most {MAX_CHECKS} are"
        return Fault(ConditionReason.TOO_MANY_CHECKS, "templates", f"{text} evaluated")
    if len(templates_to_json(used)) > LONGEST:
        text = f"the checks of all templates are longer than {LONGEST >> 10} KiB"
        return Fault(ConditionReason.TOO_MANY_CHECKS, "templates", text)
    return None


def path_of(fault: Fault, reference: TemplateReference | None) -> str:
    """Returns the path of the field of a model that a fault is about."""
    if reference is None:
        return f"{_FIELD}.{fault.field}"
    use = f"{_FIELD}.templates[{reference.name}]"
    return f"{use}.{fault.field}" if fault.field else use
