"""The templates of checks that would judge a rollout, from the file or the cluster."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from canarium.api.effective_analysis import TemplateReference
from canarium.api.effective_spec import effective_spec
from canarium.api.model_deployment import Spec
from canarium.core.facts.check_templates import ExpandedTemplate, expanded_from
from canarium_cli.exits import CliError, NotLoggedIn
from canarium_cli.kubectl import Kubectl
from canarium_cli.lint.check_templates import of_model
from canarium_cli.manifests.documents import Document


@dataclass(frozen=True, slots=True)
class TemplatePlan:
    """A template with the names of its checks; None where it cannot be read here.

    `fault`: why the rollout would wait for it.
    """

    template: str
    checks: list[str] | None = None
    fault: str | None = None


def templates(
    model: Document, documents: Sequence[Document], kubectl: Kubectl | None
) -> Iterator[TemplatePlan]:
    """Yields the templates that a model uses; `kubectl` reads those that are not in the file."""
    analysis = effective_spec(Spec.model_validate(model.spec)).analysis
    in_file = of_model(model, analysis, documents)
    for reference in analysis.templates if analysis else ():
        spec = in_file.get((reference.kind, reference.name))
        yield _planned(reference, spec) if spec is not None else _from_cluster(reference, kubectl)


def _from_cluster(reference: TemplateReference, kubectl: Kubectl | None) -> TemplatePlan:
    if kubectl is None:
        return TemplatePlan(reference.title)
    try:
        spec = _live(reference, kubectl)
    except NotLoggedIn:
        raise
    except CliError:
        return TemplatePlan(reference.title)
    if spec is None:
        return TemplatePlan(reference.title, fault=f"{reference.title} does not exist")
    return _planned(reference, spec)


def _planned(reference: TemplateReference, spec: dict[str, Any]) -> TemplatePlan:
    one = expanded_from(reference, spec)
    if isinstance(one, ExpandedTemplate):
        return TemplatePlan(reference.title, [check.name for check in one.checks])
    return TemplatePlan(reference.title, fault=one.text)


def _live(reference: TemplateReference, kubectl: Kubectl) -> dict[str, Any] | None:
    """Returns the spec of a template in the cluster; None if it does not exist.

    Raises CliError if it cannot be read.
    """
    kind = f"{reference.kind.lower()}s.canarium.dev"
    objects = kubectl.get(kind, reference.name, may_be_missing=True)
    return dict(objects[0].get("spec") or {}) if objects else None
