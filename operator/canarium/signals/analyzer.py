"""Measures every check of a model, on candidate and stable at the same moment."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, replace

from canarium.api.analysis import Check, amount
from canarium.api.effective_analysis import EffectiveAnalysis, EffectiveCheck
from canarium.api.reasons import CheckReason
from canarium.core.decision.plan import AnalysisRequest
from canarium.core.evidence.measures import (
    Measure,
    Missing,
    Reading,
    Result,
    Selector,
    read,
    selectors,
)
from canarium.core.evidence.verdict import (
    Bounds,
    Evidence,
    Finding,
    Limits,
    OnFailure,
    Tally,
    judge,
    weigh,
)
from canarium.core.evidence.windows import FailedScrape, Scrape, Window, size, thinned
from canarium.evaluation.errors import EvaluationError
from canarium.kube.client import Api
from canarium.signals import credentials, json_metric, metrics, prometheus, replay
from canarium.signals.access import Access, Shared
from canarium.signals.addresses import authority
from canarium.signals.credentials import Unavailable
from canarium.signals.errors import NoAnswer, Unreachable
from canarium.signals.presets import measure_of, own_series
from canarium.signals.prometheus import Endpoint
from canarium.signals.query_template import BadTemplate, filled
from canarium.signals.redaction import redacted
from canarium.signals.sample_budget import SampleBudget
from canarium.signals.target import AnalysisTarget, ModelServer, ServingPod
from canarium.untrusted.error_log import ErrorLog

log = logging.getLogger(__name__)
_SCRAPE_PATIENCE = 5.0


@dataclass
class AnalysisState:
    """State between measurements: a window per revision, a tally per check."""

    windows: dict[str, Window]
    tallies: dict[str, Tally]

    @classmethod
    def empty(cls) -> AnalysisState:
        return cls({}, {})


class Analyzer:
    """Analyzes models. Their state belongs to the caller, except for the sample budget."""

    def __init__(self, api: Api, shared: Shared) -> None:
        self._api, self._shared = api, shared
        self._error_log = ErrorLog(log)
        self._budget = SampleBudget()

    async def scrape(
        self, target: AnalysisTarget, watch: AnalysisRequest, memory: AnalysisState, now: float
    ) -> None:
        """Scrapes the pods into the windows, if any check needs it."""
        analysis = target.analysis
        if not analysis:
            return
        oldest = now - analysis.window - 2 * analysis.interval
        for revision in (watch.revision, watch.stable):
            if revision is None:
                continue
            server = target.server(revision)
            wanted = tuple(_wanted(analysis, server))
            if not wanted:
                continue
            places = target.pods.get(revision, ())
            web = self._shared.of(target.namespace)
            found = await asyncio.gather(*(_scraped(web, server, p, wanted, now) for p in places))
            old = memory.windows.get(revision, Window())
            scrapes = [s for s in old.scrapes if s.at >= oldest]
            failures = [f for f in old.failures if f.at >= oldest]
            scrapes += [x for x in found if isinstance(x, Scrape)]
            failures += [x for x in found if not isinstance(x, Scrape)]
            room = self._budget.room(target.namespace, target.model, revision)
            kept = thinned(scrapes, room)
            if scrapes and not kept:
                text = f"the metrics pages have more series than are kept ({room} values)"
                failures.append(
                    FailedScrape(now, scrapes[-1].pod, text, CheckReason.TOO_MANY_SERIES)
                )
            self._budget.note(target.namespace, target.model, revision, size(kept))
            memory.windows[revision] = Window(kept, tuple(failures[-100:]))

    def forget(self, namespace: str, model: str) -> None:
        """Frees the sample budget of a model."""
        self._budget.forget(namespace, model)

    async def analyze(
        self, target: AnalysisTarget, watch: AnalysisRequest, memory: AnalysisState, now: float
    ) -> Evidence:
        """Returns the evidence at `now` on what happened since `watch.since`."""
        analysis = target.analysis
        assert analysis is not None
        await self.scrape(target, watch, memory, now)
        began = max(watch.since, now - analysis.window)
        checks = analysis.checks
        found = await asyncio.gather(
            *(self._check(target, watch, memory, check, began, now) for check in checks),
            return_exceptions=True,
        )
        looks = []
        for check, result in zip(checks, found, strict=True):
            if isinstance(result, BaseException):
                if not isinstance(result, Exception):
                    raise result
                # An exception in one check must not affect the model's other checks.
                result = self._fault(target, check, result)
            finding = result
            finding = replace(finding, on_failure=OnFailure(check.on_failure))
            tally = memory.tallies.get(check.name, Tally()).after(finding)
            memory.tallies[check.name] = tally
            looks.append((finding, tally, _limits(check)))
        return weigh(watch.revision, watch.since, now, looks)

    async def _check(
        self,
        target: AnalysisTarget,
        watch: AnalysisRequest,
        memory: AnalysisState,
        check: EffectiveCheck,
        began: float,
        now: float,
    ) -> Finding:
        bounds = _bounds(check.source)
        stable: Result | None = None
        candidate = await self._measure(target, watch, memory, check, watch.revision, began, now)
        if bounds.compares and watch.stable:
            stable = await self._measure(target, watch, memory, check, watch.stable, began, now)
        return judge(
            check.name,
            bounds,
            candidate,
            stable,
            min_samples=check.min_samples,
            confidence=check.confidence,
        )

    def _fault(self, target: AnalysisTarget, check: EffectiveCheck, error: Exception) -> Finding:
        """Returns a finding without evidence for an unexpected exception, which is logged once."""
        model = f"{target.namespace}/{target.model}"
        text = self._error_log.report((model, check.name), model, f"check {check.name}", error)
        reason = Missing(text, error=True, reason=CheckReason.QUERY_FAILED)
        return judge(check.name, Bounds(), reason, None, min_samples=0, confidence=0)

    async def _measure(
        self,
        target: AnalysisTarget,
        watch: AnalysisRequest,
        memory: AnalysisState,
        check: EffectiveCheck,
        revision: str,
        began: float,
        now: float,
    ) -> Result:
        source = check.source
        try:
            if source.prometheus or source.web:
                return await self._asked(target, check, revision, began, now)
            if source.replay:
                return await self._answers(target, watch, check)
        except Unavailable as error:
            return Missing(str(error), error=True, reason=error.reason)
        except BadTemplate as error:
            return Missing(str(error), error=True, reason=CheckReason.INVALID_QUERY)
        measure = measure_for(source, target.server(revision))
        if isinstance(measure, Missing):
            return measure
        return read(measure, memory.windows.get(revision, Window()).since(began))

    async def _asked(
        self, target: AnalysisTarget, check: EffectiveCheck, revision: str, began: float, now: float
    ) -> Result:
        names = {
            "revision": revision,
            "namespace": target.namespace,
            "model": target.model,
            "service": target.model,
            "window": f"{max(1, round(now - began))}s",
        }
        access = self._shared.of(target.namespace)
        if check.source.web:
            web = check.source.web
            where = await credentials.endpoint(
                self._api,
                target.namespace,
                filled(web.url, names),
                web.authentication,
                check.timeout,
            )
            said = await json_metric.ask(access, where, web.path, web.samples_path)
            return _speakable(said, where)
        asked = check.source.prometheus
        assert asked is not None
        where = await credentials.endpoint(
            self._api, target.namespace, asked.url, asked.authentication, check.timeout
        )
        found = await prometheus.query(access, where, filled(asked.query, names), now)
        if not asked.samples_query or isinstance(found, Missing):
            return _speakable(found, where)
        counted = await prometheus.query(access, where, filled(asked.samples_query, names), now)
        if isinstance(counted, Missing):
            text = f"samplesQuery: {counted.message}"
            return _speakable(replace(counted, message=text), where)
        return Reading(found.value, samples=counted.value)

    async def _answers(
        self, target: AnalysisTarget, watch: AnalysisRequest, check: EffectiveCheck
    ) -> Result:
        how = check.source.replay
        assert how is not None
        path = how.path or target.server(watch.revision).predict_path
        stable_path = how.path or target.server(watch.stable or "").predict_path
        if path is None or stable_path is None:
            text = "replay.path: the runtime has no predictPath, so set it"
            return Missing(text, error=True, reason=CheckReason.INVALID_QUERY)
        pods = [target.targets(revision) for revision in (watch.revision, watch.stable)]
        if not all(pods):
            return Missing("both versions need a ready pod to be compared")
        access = self._shared.of(target.namespace)
        try:
            content = await credentials.text(self._api, target.namespace, how.requests)
            bodies = await replay.recorded(access, content)
        except EvaluationError as error:
            text = f"ConfigMap {how.requests.name}, {how.requests.key}: {error}"
            return Missing(text, error=True, reason=prometheus.reason_of(error))
        comparison = replay.Comparison(
            path, stable_path, how.json_path, float(how.tolerance or 0), check.timeout
        )
        return await replay.compare(access, comparison, bodies, pods[0][0], pods[1][0])


async def _scraped(
    web: Access, server: ModelServer, place: ServingPod, wanted: tuple[Selector, ...], now: float
) -> Scrape | FailedScrape:
    target, page = place.target, server.metrics.path or "/metrics"
    url = f"http://{authority(target.address, server.metrics.port or target.port)}{page}"
    try:
        answer = await web.request("GET", url, patience=_SCRAPE_PATIENCE, pod=True)
        if answer.status != 200:
            raise NoAnswer(f"{page}: status {answer.status}")
        values = await metrics.parse(web, answer.body, wanted)
    except Unreachable as error:
        return FailedScrape(now, target.pod, str(error), CheckReason.PODS_UNREACHABLE)
    except NoAnswer as error:
        return FailedScrape(now, target.pod, str(error), error.reason)
    except EvaluationError as error:
        return FailedScrape(now, target.pod, f"{page}: {error}", prometheus.reason_of(error))
    return Scrape(target.pod, now, values, place.incarnation)


def _speakable(found: Result, where: Endpoint) -> Result:
    """Redacts the secrets of `where` in `found`: servers may repeat what they received."""
    if not isinstance(found, Missing):
        return found
    return replace(found, message=redacted(found.message, where.secrets))


def measure_for(check: Check, server: ModelServer) -> Measure | Missing:
    """Returns what to measure on the pods for `check`, or why it cannot be measured."""
    if check.series:
        return own_series(check.series)
    assert check.metric is not None
    return measure_of(check.metric, server.metrics)


def _wanted(analysis: EffectiveAnalysis, server: ModelServer) -> list[Selector]:
    measures = [
        measure_for(c.source, server) for c in analysis.checks if c.source.metric or c.source.series
    ]
    found = {s for m in measures if not isinstance(m, Missing) for s in selectors(m)}
    return sorted(found, key=lambda s: s.key)


def _bounds(check: Check) -> Bounds:
    return Bounds(
        maximum=amount(check.max) if check.max else None,
        minimum=amount(check.min) if check.min else None,
        max_ratio=float(check.max_ratio_to_stable) if check.max_ratio_to_stable else None,
        min_ratio=float(check.min_ratio_to_stable) if check.min_ratio_to_stable else None,
    )


def _limits(check: EffectiveCheck) -> Limits:
    return Limits(check.failure_limit, check.error_limit, check.insufficient_limit)
