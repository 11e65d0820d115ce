"""Measures the value of one check on one revision, from the source that its spec names."""

from __future__ import annotations

from dataclasses import replace

from canarium.api.analysis import ExternalMetric, PrometheusQuery, WebQuery
from canarium.api.effective_analysis import EffectiveCheck, EffectiveReplay
from canarium.api.reasons import CheckReason
from canarium.core.decision.plan import AnalysisRequest
from canarium.core.evidence.measures import Measure, Missing, Reading, Result, read
from canarium.core.evidence.windows import Window
from canarium.evaluation.errors import EvaluationError
from canarium.kube.client import Api
from canarium.signals import credentials, external_metrics, json_metric, prometheus, replay
from canarium.signals.access import SharedResources
from canarium.signals.authenticator import Authenticator
from canarium.signals.credentials import Unavailable
from canarium.signals.default_prometheus import DefaultPrometheus
from canarium.signals.endpoint import Endpoint
from canarium.signals.presets import measure_of, own_series
from canarium.signals.query_template import BadTemplate, filled
from canarium.signals.redaction import redacted
from canarium.signals.target import AnalysisTarget, ModelServer

_NO_PROMETHEUS = (
    "prometheus.url is not set, and the operator has no default Prometheus "
    "(analysis.prometheus.url in the values of its chart)"
)


class CheckSources:
    """Reads metrics of pods from their windows, and asks all other sources."""

    def __init__(
        self,
        api: Api,
        shared: SharedResources,
        authenticator: Authenticator,
        default: DefaultPrometheus | None = None,
    ) -> None:
        self._api, self._shared, self._authenticator = api, shared, authenticator
        self._default = default

    async def measure(
        self,
        target: AnalysisTarget,
        request: AnalysisRequest,
        check: EffectiveCheck,
        revision: str,
        window: Window,
        start: float,
        now: float,
    ) -> Result:
        """Returns the value of `check` on `revision` from `start` to `now` (POSIX seconds), or why
        there is none. `window` has the samples of its pods."""
        variables = {
            "revision": revision,
            "namespace": target.namespace,
            "model": target.model,
            "service": target.model,
            "window": f"{max(1, round(now - start))}s",
            "start": str(int(start)),
            "end": str(int(now)),
        }
        try:
            if check.web:
                return await self._web(target, check.web, variables, check.timeout)
            if check.prometheus:
                return await self._prometheus(
                    target, check.prometheus, variables, check.timeout, now
                )
            if check.external:
                return await self._external(target, check.external, variables, check.timeout, start)
            if check.replay:
                return await self._replay(target, request, check.replay, check.timeout)
        except Unavailable as error:
            return Missing(str(error), error=True, reason=error.reason, faulty=error.faulty)
        except BadTemplate as error:
            return Missing(str(error), error=True, reason=CheckReason.INVALID_QUERY)
        measure = measure_for(check, target.server(revision))
        if isinstance(measure, Missing):
            return measure
        return read(measure, window.since(start))

    async def _web(
        self, target: AnalysisTarget, query: WebQuery, variables: dict[str, str], patience: float
    ) -> Result:
        url = filled(query.url, variables)
        endpoint = await self._authenticator.endpoint(
            target.namespace, url, query.authentication, patience
        )
        access = self._shared.of(target.namespace)
        result = await json_metric.ask(
            access,
            endpoint,
            query.path,
            query.samples_path,
            headers={header.name: header.value for header in query.headers or ()},
            body=filled(query.body, variables) if query.body else None,
        )
        return self._finding(result, endpoint)

    async def _prometheus(
        self,
        target: AnalysisTarget,
        query: PrometheusQuery,
        variables: dict[str, str],
        patience: float,
        now: float,
    ) -> Result:
        access = self._shared.of(target.namespace)
        if query.url is not None:
            endpoint = await self._authenticator.endpoint(
                target.namespace, query.url, query.authentication, patience
            )
        elif self._default is not None:
            own_timeout = patience if query.timeout else None
            endpoint = await self._default.endpoint(
                target.namespace, own_timeout, self._authenticator
            )
        else:
            return Missing(_NO_PROMETHEUS, reason=CheckReason.NO_PROMETHEUS)
        value = await prometheus.query(access, endpoint, filled(query.query, variables), now)
        if not query.samples_query or isinstance(value, Missing):
            return self._finding(value, endpoint)
        promql = filled(query.samples_query, variables)
        samples = await prometheus.query(access, endpoint, promql, now)
        if isinstance(samples, Missing):
            text = f"samplesQuery: {samples.message}"
            return self._finding(replace(samples, message=text), endpoint)
        return Reading(value.value, samples=samples.value)

    def _finding(self, result: Result, endpoint: Endpoint) -> Result:
        """Redacts the secrets of `endpoint`: servers may repeat what they received."""
        if not isinstance(result, Missing):
            return result
        return replace(result, message=redacted(result.message, endpoint.secrets))

    async def _external(
        self,
        target: AnalysisTarget,
        query: ExternalMetric,
        variables: dict[str, str],
        patience: float,
        start: float,
    ) -> Result:
        selector = {k: filled(v, variables) for k, v in (query.selector or {}).items()}
        return await external_metrics.read(
            self._api,
            self._shared.turn(target.namespace),
            target.namespace,
            query.metric,
            selector,
            patience=patience,
            start=start,
        )

    async def _replay(
        self,
        target: AnalysisTarget,
        request: AnalysisRequest,
        settings: EffectiveReplay,
        patience: float,
    ) -> Result:
        path = settings.path or target.server(request.revision).predict_path
        stable_path = settings.path or target.server(request.stable or "").predict_path
        if path is None or stable_path is None:
            text = "replay.path: the runtime has no predictPath, so set it"
            return Missing(text, error=True, reason=CheckReason.INVALID_QUERY)
        pods = [target.targets(revision) for revision in (request.revision, request.stable)]
        if not all(pods):
            return Missing("both versions need a ready pod to be compared")
        access = self._shared.of(target.namespace)
        source = settings.requests
        try:
            content = await credentials.text(self._api, target.namespace, source)
            bodies = await replay.recorded(access, content)
        except EvaluationError as error:
            text = f"ConfigMap {source.name}, {source.key}: {error}"
            return Missing(text, error=True, reason=prometheus.reason_of(error))
        comparison = replay.ReplayComparison(
            path, stable_path, settings.json_path, settings.tolerance, patience
        )
        return await replay.compare(access, comparison, bodies, pods[0][0], pods[1][0])


def measure_for(check: EffectiveCheck, server: ModelServer) -> Measure | Missing:
    """Returns what to measure on the pods for `check`, or why it cannot be measured."""
    if check.series:
        return own_series(check.series)
    assert check.metric is not None
    return measure_of(check.metric, server.metrics)
