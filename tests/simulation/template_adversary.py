"""Edits and deletes a template of checks, beside all that `pause_adversary` does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from canarium.core.evidence.verdict import Evidence, Verdict
from canarium.kube import resources
from simulation import specs
from simulation.operators import Operator
from simulation.pause_adversary import CHECKS, LISTS, PauseAdversary, Steps
from simulation.server import PERSON
from simulation.template_invariant import TemplateInvariant
from simulation.world import KEY

ANALYSES: tuple[dict[str, Any], ...] = (
    {"templates": [{"name": "slo", "args": {"max": "1%"}}]},
    {**CHECKS, "templates": [{"name": "slo", "args": {"max": "2%"}}]},
)
_SLO = {"name": "latency", "metric": "LatencyP99", "max": "{{ args.max }}"}
_ARGS = [{"name": "max"}]
#: What the template is edited to: another metric, another argument; None: it is deleted.
TEMPLATES: tuple[dict[str, Any] | None, ...] = (
    {"args": _ARGS, "checks": [_SLO]},
    {"args": _ARGS, "checks": [{**_SLO, "metric": "LatencyP95"}]},
    {"args": [{"name": "bound"}], "checks": [{**_SLO, "max": "{{ args.bound }}"}]},
    None,
)


class TemplateAdversary(PauseAdversary):
    """Runs whose second version is under way and judged by a template."""

    form = "templates"
    # Rules of `pause_adversary` that have nothing to do with templates.
    record_is_edited = router_is_edited = model_is_scaled = None  # type: ignore[assignment]

    def make(self) -> Operator:
        self.world.server.observers.append(TemplateInvariant(self.checks).see)
        return super().make()

    @initialize(
        analysis=st.sampled_from(ANALYSES),
        steps=st.sampled_from(LISTS),
        router=st.sampled_from(specs.ROUTERS),
        underway=st.sampled_from((2.0, 4.0, 8.0, 14.0)),
    )
    def begin(  # type: ignore[override]
        self, analysis: dict[str, Any], steps: Steps | None, router: str, underway: float
    ) -> None:
        self.wanted = {"scaling": "three", "router": router}
        self.rollout = {"steps": steps, "analysis": analysis, "strategy": "Canary"}
        self.edit_template(TEMPLATES[0])
        self.apply()
        self.operator.start()
        self.let(12.0)
        self.wanted["version"] = "v2"
        self.apply()
        self.let(underway)

    def evidence(self, revision: str, since: float, verdict: Verdict) -> Evidence:
        made = super().evidence(revision, since, verdict)
        (errors,) = made.findings
        return replace(made, findings=(errors, replace(errors, check="latency")))

    @rule(analysis=st.sampled_from(ANALYSES))
    def use_of_the_template_is_edited(self, analysis: dict[str, Any]) -> None:
        self.rollout["analysis"] = analysis
        self.apply()

    @rule(spec=st.sampled_from(TEMPLATES))
    def template_is_edited(self, spec: dict[str, Any] | None) -> None:
        self.edit_template(spec)
        self.let(0.1)

    def edit_template(self, spec: dict[str, Any] | None) -> None:
        key = (KEY[0], "slo")
        server, kind = self.world.server, resources.CHECK_TEMPLATES
        if server.find(kind, key):
            server.delete(kind, key, actor=PERSON)
        if spec:
            body = {"metadata": {"namespace": key[0], "name": key[1]}, "spec": spec}
            server.create(kind, body, PERSON)
