"""Gathers facts in the background for the models whose plans request them.

Level-triggered: a plan states what it waits for, and what it does not request stops.
Nothing survives a restart, and nothing needs to: a window begins again, and until it has evidence
there is none.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from canarium.api.effective_analysis import INTERVAL
from canarium.api.effective_smoke_tests import EffectiveSmokeTest
from canarium.api.reasons import CheckReason
from canarium.core.decision.plan import AnalysisRequest, SignalRequests
from canarium.core.evidence.verdict import Evidence
from canarium.core.facts.observed import SmokeReport
from canarium.evaluation.errors import ErrorReason
from canarium.kube.client import Api
from canarium.kube.clock import Timing
from canarium.signals import smoke
from canarium.signals.access import NamespaceAccess, SharedResources
from canarium.signals.analyzer import AnalysisState, Analyzer
from canarium.signals.assertions import Unusable, faults
from canarium.signals.authenticator import Authenticator
from canarium.signals.default_prometheus import DefaultPrometheus
from canarium.signals.http_client import HttpClient
from canarium.signals.logged_example import ExampleReader
from canarium.signals.smoke import Failed, Unreached
from canarium.signals.smoke_bodies import BodyCollector
from canarium.signals.target import AnalysisTarget
from canarium.signals.workload_identity import WorkloadIdentity
from canarium.telemetry import log_context
from canarium.untrusted.error_log import ErrorLog

log = logging.getLogger(__name__)
#: Seconds until tests that could not run are retried: a ConfigMap may be created meanwhile.
_AGAIN = 5.0
#: What the status calls the reasons of evaluations.
_REASONS = {
    fault: reason for fault in ErrorReason for reason in CheckReason if reason == fault.value
}
Key = tuple[str, str]
#: Returns the current target of a model; None after its deletion.
Look = Callable[[Key], AnalysisTarget | None]
Wake = Callable[[Key, bool], None]


@dataclass
class _Watched:
    """The background work for one model."""

    requests: SignalRequests = field(default_factory=SignalRequests)
    tests: tuple[EffectiveSmokeTest, ...] = ()
    report: SmokeReport | None = None
    memory: AnalysisState = field(default_factory=AnalysisState)
    evidence: Evidence | None = None
    testing: asyncio.Task[None] | None = None
    watching: asyncio.Task[None] | None = None


class SignalMonitor:
    """`target` returns what a model is now; `wake(key, urgent)` is called when a fact is new."""

    def __init__(
        self,
        api: Api,
        web: HttpClient,
        target: Look,
        wake: Wake,
        timing: Timing | None = None,
        identity: WorkloadIdentity | None = None,
        prometheus: DefaultPrometheus | None = None,
    ) -> None:
        self._api, self._target, self._wake = api, target, wake
        self._shared = SharedResources(web)
        self._timing = timing or Timing()
        self.authenticator = Authenticator(api, self._shared.of, self._timing, identity)
        self._analyzer = Analyzer(api, self._shared, self.authenticator, prometheus)
        self._error_log = ErrorLog(log)
        #: Reads input examples of registries; None: no test can have one.
        self.examples: ExampleReader | None = None
        self._models: dict[Key, _Watched] = {}

    def access(self, namespace: str) -> NamespaceAccess:
        """Returns the share of a namespace, for requests of other sources of facts."""
        return self._shared.of(namespace)

    def facts(self, key: Key) -> tuple[SmokeReport | None, Evidence | None]:
        """Returns the current facts for a decision about `key`."""
        known = self._models.get(key)
        return (known.report, known.evidence) if known else (None, None)

    def want(
        self, key: Key, requests: SignalRequests, tests: tuple[EffectiveSmokeTest, ...]
    ) -> None:
        """Starts what `requests` contains, and stops everything else."""
        known = self._models.get(key)
        if requests == SignalRequests():
            # The report stays while its revision is the candidate: it is not requested again.
            if known:
                self._stop(known)
                # Baselines serve the next step, not a model that requests nothing.
                known.memory = AnalysisState()
                self._analyzer.forget(*key)
                if known.report is None and known.evidence is None:
                    del self._models[key]
            return
        known = self._models.setdefault(key, _Watched())
        before, known.requests = known.requests, requests
        if requests.smoke is not None:
            stale = known.report and (known.report.revision != requests.smoke)
            if stale or known.tests != tests:
                known.report = None
                _cancel(known.testing)
                known.testing = None
            known.tests = tests
            if known.report is None and (known.testing is None or known.testing.done()):
                known.testing = asyncio.create_task(self._test(key, known, requests.smoke))
        # An analysis ends by itself without a target, such as while the spec is invalid.
        idle = known.watching is None or known.watching.done()
        if requests.analysis != before.analysis or (requests.analysis and idle):
            _cancel(known.watching)
            known.watching = known.evidence = None
            if requests.analysis:
                known.memory = _carried_over(known.memory, before.analysis, requests.analysis)
                self._analyzer.forget(*key)  # Added again by the next scrape.
                known.watching = asyncio.create_task(self._watch(key, known, requests.analysis))

    def forget(self, key: Key) -> None:
        """Stops everything for a deleted model."""
        for what in ("tests", "checks"):
            self._error_log.forget((key, what))
        self._analyzer.forget(*key)
        known = self._models.pop(key, None)
        if known:
            self._stop(known)

    async def close(self) -> None:
        """Stops everything."""
        tasks = [t for k in self._models.values() for t in (k.testing, k.watching) if t]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._models.clear()
        await self.authenticator.close()
        await self._shared.close()

    def _stop(self, known: _Watched) -> None:
        _cancel(known.testing)
        _cancel(known.watching)
        known.testing = known.watching = None
        known.evidence = None
        known.requests = SignalRequests()

    async def _test(self, key: Key, known: _Watched, revision: str) -> None:
        log_context.about(*key, revision)
        collector = BodyCollector(self._api, self.examples)
        while True:
            again = _AGAIN
            try:
                target = self._target(key)
                targets = target.targets(revision) if target else ()
                if target is None or not targets:
                    # The pods lost their readiness: the next plan requests the tests again.
                    return
                report, again = await self._tested(target, known.tests, revision, collector)
                if report.pod and self._left(key, report.pod):
                    # A test of a pod that was drained meanwhile has no meaning (R25).
                    continue
            except Exception as error:
                text = self._error_log.report((key, "tests"), _name(key), "its smoke tests", error)
                message = f"spec.rollout.smokeTests could not be run: {text}"
                report = SmokeReport(revision, False, message, unusable=True)
            open_ended = report.unusable or report.unreachable is not None
            if report != known.report:
                known.report = report
                self._wake(key, not report.passed and not open_ended)
            if not open_ended:
                return
            await self._timing.sleep(again)

    def _left(self, key: Key, pod: str) -> bool:
        """Returns whether the pod was deleted or is terminating."""
        target = self._target(key)
        return target is None or pod not in target.standing

    async def _tested(
        self,
        target: AnalysisTarget,
        tests: tuple[EffectiveSmokeTest, ...],
        revision: str,
        collector: BodyCollector,
    ) -> tuple[SmokeReport, float]:
        """Returns the result, and the seconds until another attempt if it has none."""
        targets, path = target.targets(revision), target.server(revision).predict_path
        web = self._shared.of(target.namespace)
        expectations = {
            f"spec.rollout.smokeTests[{index}].expect": test.expect
            for index, test in enumerate(tests)
        }
        try:
            wrong = await faults(web, expectations)
        except Unusable as error:
            text = str(error)[:1000]
            reason = _REASONS[error.reason]
            return SmokeReport(revision, False, text, unusable=True, reason=reason), _AGAIN
        version = target.versions.get(revision)
        sent = await collector.collect(web, target.namespace, tests, version, path)
        if wrong or sent.faults:
            text = "; ".join((*wrong, *sent.faults))[:1000]
            reason = CheckReason.INVALID_TEST if wrong else sent.reason
            report = SmokeReport(revision, False, text, unusable=True, reason=reason)
            return report, sent.again
        outcome = await smoke.run(
            web, tests, targets, bodies=sent.bodies, predict_path=path, signature=sent.signature
        )
        return _report(revision, outcome, len(targets)), _AGAIN

    async def _watch(self, key: Key, known: _Watched, watch: AnalysisRequest) -> None:
        log_context.about(*key, watch.revision)
        memory = known.memory
        try:
            await self._analyze(key, known, watch, memory)
        finally:
            memory.runs.cancel()

    async def _analyze(
        self, key: Key, known: _Watched, watch: AnalysisRequest, memory: AnalysisState
    ) -> None:
        clock = self._timing.clock
        began, first, interval = clock(), not memory.windows, INTERVAL
        while True:
            try:
                target = self._target(key)
                if target is None or target.analysis is None:
                    return
                target = target.judging(watch.revision)
                assert target.analysis is not None
                interval = target.analysis.interval
                now = self._timing.now()
                if first:
                    # Only the baselines of counters.
                    await self._analyzer.scrape(target, watch, memory, now)
                    first = False
                else:
                    known.evidence = await self._analyzer.analyze(target, watch, memory, now)
                    self._wake(key, known.evidence.failed is not None)
            except Exception as error:
                # Earlier findings are not evidence about now.
                known.evidence = None
                self._error_log.report((key, "checks"), _name(key), "its checks", error)
            # Missed measurements are skipped, not repeated in a row.
            began = max(began + interval, clock() - interval)
            await self._timing.sleep(max(0.1, began - clock()))


def _name(key: Key) -> str:
    return "/".join(key)


def _report(revision: str, outcome: Failed | Unreached | None, count: int) -> SmokeReport:
    if outcome is None:
        return SmokeReport(revision, True, tested=count)
    text = f"smoke test {outcome.test}: {outcome.message}"
    if isinstance(outcome, Unreached):
        return SmokeReport(
            revision, False, text, outcome.pod, count, unreachable=outcome.loss.value
        )
    if outcome.fault:
        return SmokeReport(revision, False, text, unusable=True, reason=_REASONS[outcome.fault])
    return SmokeReport(revision, False, text, outcome.pod, count)


def _carried_over(
    memory: AnalysisState, before: AnalysisRequest | None, after: AnalysisRequest
) -> AnalysisState:
    """Keeps the samples of the previous step as baselines of the next, and the evaluations of the
    same revision, also through the bake; resets the tallies."""
    if before is None or before.revision != after.revision:
        return AnalysisState()
    state = AnalysisState(memory.windows if before.stable == after.stable else {})
    state.runs.succeed(memory.runs)
    return state


def _cancel(task: asyncio.Task[Any] | None) -> None:
    if task and not task.done():
        task.cancel()
