"""Measures every check of a model, on candidate and stable at the same moment."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field, replace

from canarium.api.effective_analysis import EffectiveCheck
from canarium.api.reasons import CheckReason
from canarium.core.decision.plan import AnalysisRequest
from canarium.core.evidence.history import evaluations_per_check
from canarium.core.evidence.measures import Missing, Result
from canarium.core.evidence.verdict import (
    Bounds,
    Evidence,
    Finding,
    OnFailure,
    evidence_from,
    judge,
)
from canarium.core.evidence.windows import FailedScrape, Scrape, Window, size, thinned
from canarium.kube.client import Api
from canarium.signals.access import SharedResources
from canarium.signals.authenticator import Authenticator
from canarium.signals.check_runs import CheckRuns
from canarium.signals.check_sources import CheckSources
from canarium.signals.default_prometheus import DefaultPrometheus
from canarium.signals.metrics_scraper import scrape_pod, scraped_selectors
from canarium.signals.sample_budget import SampleBudget
from canarium.signals.target import AnalysisTarget
from canarium.untrusted.error_log import ErrorLog

log = logging.getLogger(__name__)


@dataclass
class AnalysisState:
    """State between measurements: a window per revision, and the evaluations of each check."""

    windows: dict[str, Window] = field(default_factory=dict)
    runs: CheckRuns = field(default_factory=CheckRuns)


class Analyzer:
    """Analyzes models. Their state belongs to the caller, except for the sample budget."""

    def __init__(
        self,
        api: Api,
        shared: SharedResources,
        authenticator: Authenticator,
        prometheus: DefaultPrometheus | None = None,
    ) -> None:
        self._shared = shared
        self._sources = CheckSources(api, shared, authenticator, prometheus)
        self._error_log = ErrorLog(log)
        self._budget = SampleBudget()

    async def scrape(
        self, target: AnalysisTarget, request: AnalysisRequest, state: AnalysisState, now: float
    ) -> None:
        """Scrapes the pods into the windows, if any check needs it."""
        analysis = target.analysis
        if not analysis:
            return
        oldest = now - analysis.window - 2 * analysis.interval
        for revision in (request.revision, request.stable):
            if revision is None:
                continue
            server = target.server(revision)
            wanted = scraped_selectors(analysis, server)
            if not wanted:
                continue
            pods = target.pods.get(revision, ())
            access = self._shared.of(target.namespace)
            results = await asyncio.gather(
                *(scrape_pod(access, server, pod, wanted, now) for pod in pods)
            )
            old = state.windows.get(revision, Window())
            scrapes = [s for s in old.scrapes if s.at >= oldest]
            failures = [f for f in old.failures if f.at >= oldest]
            scrapes += [x for x in results if isinstance(x, Scrape)]
            failures += [x for x in results if not isinstance(x, Scrape)]
            room = self._budget.room(target.namespace, target.model, revision)
            recent = thinned(scrapes, room)
            if scrapes and not recent:
                text = f"the metrics pages have more series than are kept ({room} values)"
                failures.append(
                    FailedScrape(now, scrapes[-1].pod, text, CheckReason.TOO_MANY_SERIES)
                )
            self._budget.note(target.namespace, target.model, revision, size(recent))
            state.windows[revision] = Window(recent, tuple(failures[-100:]))

    def forget(self, namespace: str, model: str) -> None:
        """Frees the sample budget of a model."""
        self._budget.forget(namespace, model)

    async def analyze(
        self, target: AnalysisTarget, request: AnalysisRequest, state: AnalysisState, now: float
    ) -> Evidence:
        """Returns the evidence at `now` on what happened since `request.since`.

        It has the last finding of a check whose evaluation takes longer than the interval.
        """
        analysis = target.analysis
        assert analysis is not None
        await self.scrape(target, request, state, now)
        start = max(request.since, now - analysis.window)

        async def evaluated(check: EffectiveCheck) -> Finding:
            try:
                finding = await self._check(target, request, state, check, start, now)
            except Exception as error:
                # An exception in one check must not affect the model's other checks.
                finding = self._without_evidence(target, check, error)
            return replace(finding, on_failure=OnFailure(check.on_failure))

        runs = state.runs.start(analysis.checks, evaluated, now)
        await state.runs.settle(analysis.interval, evaluations_per_check(len(analysis.checks)))
        results = ((run.latest, run.tally, run.limits) for run in runs)
        # A step ends by evidence on its whole time: the oldest finding decides.
        oldest = min(request.since if run.at is None else run.at for run in runs)
        evidence = evidence_from(request.revision, request.since, oldest, results, analysis.checks)
        return replace(evidence, histories=tuple(run.history for run in runs))

    async def _check(
        self,
        target: AnalysisTarget,
        request: AnalysisRequest,
        state: AnalysisState,
        check: EffectiveCheck,
        start: float,
        now: float,
    ) -> Finding:
        async def measured(revision: str) -> Result:
            window = state.windows.get(revision, Window())
            return await self._sources.measure(target, request, check, revision, window, start, now)

        bounds = _bounds(check)
        candidate = await measured(request.revision)
        compared = request.stable if bounds.compares else None
        stable = await measured(compared) if compared else None
        return judge(
            check.name,
            bounds,
            candidate,
            stable,
            min_samples=check.min_samples,
            confidence=check.confidence,
        )

    def _without_evidence(
        self, target: AnalysisTarget, check: EffectiveCheck, error: Exception
    ) -> Finding:
        """Returns a finding without evidence for an unexpected exception, which is logged once."""
        model = f"{target.namespace}/{target.model}"
        text = self._error_log.report((model, check.name), model, f"check {check.name}", error)
        reason = Missing(text, error=True, reason=CheckReason.QUERY_FAILED)
        return judge(check.name, Bounds(), reason, None, min_samples=0, confidence=0)


def _bounds(check: EffectiveCheck) -> Bounds:
    return Bounds(check.maximum, check.minimum, check.max_ratio, check.min_ratio)
