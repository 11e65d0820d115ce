"""The target of an analysis: where the pods of a model are, and how its servers are measured."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from canarium.api.effective_analysis import EffectiveAnalysis
from canarium.api.effective_metrics import EffectiveMetrics, effective_metrics
from canarium.core.facts.check_templates import templates_from_json, with_templates
from canarium.core.facts.training_run import RunRequest
from canarium.signals.smoke import Target


@dataclass(frozen=True, slots=True)
class ServingPod:
    """A ready pod, and the incarnation of its server (its restarts)."""

    target: Target
    incarnation: str = ""


@dataclass(frozen=True, slots=True)
class ModelServer:
    """How the servers of one revision are measured, and the path of their predictions."""

    metrics: EffectiveMetrics = field(default_factory=lambda: effective_metrics(None))
    predict_path: str | None = None


@dataclass(frozen=True, slots=True)
class AnalysisTarget:
    """One model at one moment. `pods` has the ready pods of each revision, `standing` the names of
    all pods that are not terminating.

    `servers` is by revision, as each was rendered: revisions may use runtimes with different metric
    names, and editing a runtime changes no pod (R1).
    """

    namespace: str
    model: str
    analysis: EffectiveAnalysis | None
    #: Templates on the record of each revision (JSON, see `core.facts.check_templates`).
    templates: dict[str, str] = field(default_factory=dict)
    servers: dict[str, ModelServer] = field(default_factory=dict)
    #: Versions of an MLflow registry that revisions serve.
    versions: dict[str, RunRequest] = field(default_factory=dict)
    pods: dict[str, tuple[ServingPod, ...]] = field(default_factory=dict)
    standing: frozenset[str] = frozenset()

    def judging(self, revision: str) -> AnalysisTarget:
        """Returns this target with the checks that judge `revision`."""
        if self.analysis is None or not self.analysis.templates:
            return self
        recorded = templates_from_json(self.templates.get(revision))
        return replace(self, analysis=with_templates(self.analysis, recorded))

    def server(self, revision: str) -> ModelServer:
        return self.servers.get(revision, ModelServer())

    def targets(self, revision: str | None) -> tuple[Target, ...]:
        return tuple(place.target for place in self.pods.get(revision or "", ()))
