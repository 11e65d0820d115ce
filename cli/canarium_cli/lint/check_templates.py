"""Templates of checks: whether they can be expanded, for themselves and for models."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from canarium.api.analysis import Check
from canarium.api.check_template import CLUSTER, NAMESPACED
from canarium.api.effective_analysis import EffectiveAnalysis, TemplateReference
from canarium.api.effective_spec import EffectiveSpec
from canarium.api.template_arguments import Fault, TemplateFault, expand
from canarium.core.facts.check_templates import (
    ExpandedTemplate,
    overlap,
    size_fault,
    with_templates,
)
from canarium_cli.lint import analysis
from canarium_cli.lint.runtimes import namespace_of
from canarium_cli.manifests.documents import Document, Path, text_of
from canarium_cli.manifests.finding import Finding

RULE = "check-template"
ROOT: Path = ("spec", "rollout", "analysis", "templates")


def check_template(document: Document, documents: Sequence[Document]) -> Iterator[Finding]:
    """Yields what is wrong with a template, by the default values of its arguments."""
    expanded = _expanded(document.title, document, {})
    if isinstance(expanded, Fault):
        # An argument without a default is set by each model.
        if not expanded.field:
            yield document.finding(("spec",), _sentence(expanded.text), RULE)
        return
    for index, check in enumerate(expanded):
        yield from analysis.check_one(document, ("spec", "checks", index), raw(check), documents)


def check_uses(
    document: Document, settings: EffectiveAnalysis | None, documents: Sequence[Document]
) -> Iterator[Finding]:
    """Yields what is wrong with the templates that a model uses, as far as they are in the
    files."""
    if settings is None:
        return
    for index, (reference, expanded) in enumerate(_uses(document, settings, documents)):
        path = (*ROOT, index)
        if isinstance(expanded, Fault):
            field = tuple(expanded.field.split(".", 1)) if expanded.field else ()
            yield document.finding((*path, *field), _sentence(expanded.text), RULE)
        for check in expanded if isinstance(expanded, tuple) else ():
            for finding in analysis.check_one(document, path, raw(check), documents):
                text = f"Check {check.name} of {reference.title}: {finding.message}"
                yield replace(finding, message=text, path=text_of(path))
    fault = overlap(settings, used(document, settings, documents))
    if fault:
        name = fault.field.partition("[")[2].rstrip("]")
        names = [reference.name for reference in settings.templates]
        path = (*ROOT, names.index(name)) if name else ROOT
        yield document.finding(path, _sentence(fault.text), RULE)


def used(
    document: Document, settings: EffectiveAnalysis, documents: Sequence[Document]
) -> tuple[ExpandedTemplate, ...]:
    """Returns the templates of a model that are in the files and can be expanded."""
    return tuple(
        ExpandedTemplate(reference, expanded)
        for reference, expanded in _uses(document, settings, documents)
        if isinstance(expanded, tuple)
    )


def checks_of(
    document: Document, settings: EffectiveAnalysis | None, documents: Sequence[Document]
) -> Iterator[tuple[Path, Check]]:
    """Yields the checks of the templates that a model uses, each with the path of its use."""
    names = [reference.name for reference in settings.templates] if settings else []
    for one in used(document, settings, documents) if settings else ():
        path = (*ROOT, names.index(one.reference.name))
        yield from ((path, check) for check in one.checks)


def completed(
    document: Document, settings: EffectiveSpec, documents: Sequence[Document]
) -> EffectiveSpec:
    """Returns the settings of a model with the checks of its templates, as far as they are in the
    files."""
    if settings.analysis is None:
        return settings
    templates = used(document, settings.analysis, documents)
    return replace(settings, analysis=with_templates(settings.analysis, templates))


def of_model(
    document: Document, settings: EffectiveAnalysis | None, documents: Sequence[Document]
) -> dict[tuple[str, str], dict[str, Any]]:
    """Returns the specs of the templates that a model uses and that are in the files, by kind and
    name."""
    specs = {}
    for reference in settings.templates if settings else ():
        template = _named(document, reference, documents)
        if template is not None:
            specs[reference.kind, reference.name] = dict(template.spec)
    return specs


def _uses(
    document: Document, settings: EffectiveAnalysis, documents: Sequence[Document]
) -> Iterator[tuple[TemplateReference, tuple[Check, ...] | Fault | None]]:
    for reference in settings.templates:
        template = _named(document, reference, documents)
        arguments = dict(reference.args)
        yield (
            reference,
            None if template is None else _expanded(reference.title, template, arguments),
        )


def _named(
    document: Document, reference: TemplateReference, documents: Sequence[Document]
) -> Document | None:
    for other in documents:
        if (other.kind, other.name) != (reference.kind, reference.name):
            continue
        own = str(other.metadata.get("namespace") or namespace_of(document))
        if other.kind == CLUSTER or own == namespace_of(document):
            return other
    return None


def _expanded(
    title: str, template: Document, arguments: dict[str, str]
) -> tuple[Check, ...] | Fault:
    if fault := size_fault(title, template.spec):
        return fault
    try:
        return expand(title, template.spec, arguments)
    except TemplateFault as error:
        return error.fault
    except (AttributeError, KeyError, TypeError):
        return ()  # A field of a wrong type, which the schema reports.


def raw(check: Check) -> dict[str, Any]:
    """Returns a check as in a manifest."""
    return check.model_dump(by_alias=True, exclude_unset=True)


def is_template(kind: str) -> bool:
    """Returns whether objects of this kind are templates of checks."""
    return kind in (NAMESPACED, CLUSTER)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."
