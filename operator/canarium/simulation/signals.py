"""Results of smoke tests, checks and gates: all pass at once, but for what the scenario fails."""

from __future__ import annotations

from typing import Any

from canarium.api.effective_analysis import (
    EffectiveAnalysis,
    EffectiveCheck,
    TemplateReference,
)
from canarium.api.reasons import CheckReason
from canarium.api.states import GateKind, GateState, Phase
from canarium.core.evidence.verdict import (
    Finding,
    OnFailure,
    Tally,
    TallyLimits,
    Verdict,
    evidence_from,
)
from canarium.core.facts.check_templates import templates_from_json, with_templates
from canarium.core.facts.gate_answers import AnswerState
from canarium.core.facts.gate_jobs import JobOutcome
from canarium.core.facts.observed import SmokeReport
from canarium.simulation.cluster import Cluster
from canarium.simulation.scenario import Scenario


class Signals:
    """Answers what the decisions on `cluster` ask for; `version` is the one that can fail."""

    def __init__(self, cluster: Cluster, scenario: Scenario, version: str) -> None:
        self._cluster, self._scenario, self._version = cluster, scenario, version
        self._measured_at = 0.0
        self._tallies: dict[str, Tally] = {}

    def answer(self, analysis: EffectiveAnalysis | None) -> None:
        """Answers what the last decision asks for; `analysis` is that of the spec in effect."""
        cluster, requests = self._cluster, self._cluster.requests
        self._pass_gates()
        for reference in analysis.templates if analysis else ():
            key = (reference.kind, reference.name)
            known = self._scenario.check_templates.get(key) or _stand_in(reference)
            cluster.check_templates.setdefault(key, dict(known))
        if requests.smoke:
            cluster.smoke = self._smoke_report(requests.smoke)
        if requests.analysis is None or analysis is None:
            return
        if cluster.now < self.next_evaluation(analysis):
            return
        self._measured_at = cluster.now
        record = cluster.observed().record(requests.analysis.revision)
        recorded = templates_from_json(record.check_templates if record else None)
        analysis = with_templates(analysis, recorded)
        evaluations = []
        for check in analysis.checks:
            finding = self._finding(check)
            self._tallies[check.name] = self._tallies.get(check.name, Tally()).after(finding)
            limits = TallyLimits(check.failure_limit, check.error_limit, check.insufficient_limit)
            evaluations.append((finding, self._tallies[check.name], limits))
        cluster.evidence = evidence_from(
            requests.analysis.revision,
            requests.analysis.since,
            cluster.now,
            evaluations,
            analysis.checks,
        )

    def next_evaluation(self, analysis: EffectiveAnalysis) -> float:
        """Returns when the checks are evaluated next."""
        return self._measured_at + analysis.interval

    def has_reached(self, weight: int) -> bool:
        """Returns whether the new version has this weight; 100: or is promoted."""
        status = self._cluster.status
        candidate = status.candidate
        reached = candidate is not None and (candidate.effective_weight or 0) >= weight
        return reached or (weight == 100 and status.phase == Phase.BAKING)

    def _pass_gates(self) -> None:
        """Lets gates pass as soon as possible, approvals one by one."""
        status = self._cluster.status
        for request in self._cluster.requests.gates:
            self._cluster.verdicts[request.gate] = (AnswerState.PASSED, "simulation", "", "")
        for gate in self._cluster.spec.get("rollout", {}).get("gates") or ():
            if template := (gate.get("job") or {}).get("modelGate"):
                self._cluster.model_gates[template] = '{"image":"simulation"}'
        for job in self._cluster.started_jobs:
            self._cluster.job_results[job.name] = (JobOutcome.PASSED, 0, "", None)
        for gate in status.gates or ():
            if gate.kind != GateKind.APPROVAL:
                continue
            if gate.state is GateState.WAITING:
                self._cluster.annotations["approve"] = f"{status.revision}/{gate.name}"
                return

    def _smoke_report(self, revision: str) -> SmokeReport:
        name, version = self._scenario.failing_smoke_test, self._cluster.version(revision)
        if not name or version != self._version:
            return SmokeReport(revision, True, tested=1)
        pod = next(x.name for x in self._cluster.pods if x.revision == revision)
        return SmokeReport(revision, False, f"smoke test {name}: simulated failure", pod, 1)

    def _finding(self, check: EffectiveCheck) -> Finding:
        """Returns the verdict that the scenario has for a check."""
        fails = self._scenario.failing_check == check.name and self.has_reached(
            self._scenario.fail_at or 1
        )
        if not self._scenario.traffic:
            verdict, reason = Verdict.INSUFFICIENT, CheckReason.NOT_ENOUGH_SAMPLES
        elif fails:
            rises = check.maximum is not None or check.max_ratio is not None
            verdict = Verdict.FAIL
            reason = CheckReason.ABOVE_MAXIMUM if rises else CheckReason.BELOW_MINIMUM
        else:
            verdict, reason = Verdict.PASS, CheckReason.WITHIN_BOUNDS
        return Finding(
            check.name,
            verdict,
            reason,
            "simulated failure" if verdict is Verdict.FAIL else "simulated",
            samples=float(check.min_samples * self._scenario.traffic),
            on_failure=OnFailure(check.on_failure),
        )


def _stand_in(reference: TemplateReference) -> dict[str, Any]:
    """Returns the spec of a template that is not known: it takes the arguments, and has one
    check."""
    name = f"of-{reference.name.replace('.', '-')}"[:63].rstrip("-")
    return {
        "args": [{"name": argument} for argument, _ in reference.args],
        "checks": [{"name": name, "metric": "ErrorRate", "max": "100%"}],
    }
