"""The operator's metrics, in the Prometheus format. All durations are in seconds.

States (queue, models, watches) are read at each scrape; events are counted when they happen.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter as Tally
from collections.abc import Iterable
from typing import Any

import aiohttp
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from canarium import VERSION
from canarium.api.states import OutcomeKind
from canarium.telemetry.controller_runtime import ControllerRuntime
from canarium.telemetry.operator_state import State
from canarium.telemetry.rolling_max import RollingMax

_FINE = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
#: From a Recreate of a small model to steps with pauses of days.
_COARSE = (10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 86400, 604800)
_ROLLBACKS = ("RolledBack", "Undone")
_LAG_EVERY = 0.1
#: Longer than Prometheus' usual scrape interval of a minute, so that no scrape misses a stall.
_WINDOW = 120.0

#: Namespace and name of a model.
Key = tuple[str, str]


class OperatorMetrics:
    """A separate registry, so that two operators in one process do not mix."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        #: Rollbacks and undone promotions of each model that had any, by reason.
        self.rollbacks: dict[Key, Tally[str]] = {}
        #: Ended rollouts of each model that had any, by outcome.
        self.outcomes: dict[Key, Tally[str]] = {}
        ProcessCollector(registry=self.registry)
        Info("canarium_build", "The operator", registry=self.registry).info({"version": VERSION})
        self._wait = Histogram(
            "canarium_queue_wait_seconds",
            "How long a due key waited for a worker",
            ["urgency"],
            buckets=_FINE,
            registry=self.registry,
        )
        self._took = Histogram(
            "canarium_reconcile_duration_seconds",
            "One decision and its writes, by result: done, retried, failed",
            ["result"],
            buckets=_FINE,
            registry=self.registry,
        )
        self._lag = Histogram(
            "canarium_event_loop_lag_seconds",
            "How much later than asked the event loop woke a sleeper",
            buckets=_FINE,
            registry=self.registry,
        )
        self._worst = RollingMax(_WINDOW)
        Gauge(
            "canarium_event_loop_lag_max_seconds",
            f"The largest lag of the last {_WINDOW:.0f} seconds",
            registry=self.registry,
        ).set_function(lambda: self._worst.at(time.monotonic()))
        self._tasks = Gauge("canarium_tasks", "Tasks of the event loop", registry=self.registry)
        self._requests = Counter(
            "canarium_api_requests",
            "Requests to the API server, by verb, resource and code (0: no answer)",
            ["verb", "resource", "code"],
            registry=self.registry,
        )
        self._delay = Histogram(
            "canarium_rollback_delay_seconds",
            "From the change or evaluation that shows a failure to the accepted write that moves "
            "the traffic off the failed version",
            buckets=_FINE,
            registry=self.registry,
        )
        self._duration = Histogram(
            "canarium_rollout_duration_seconds",
            "From the creation of a revision to its promotion or end, by outcome",
            ["outcome"],
            buckets=_COARSE,
            registry=self.registry,
        )
        self._commands = Counter(
            "canarium_commands",
            "Processed commands, by result: Accepted, Ignored",
            ["command", "result"],
            registry=self.registry,
        )
        self._rollouts = Counter(
            "canarium_rollouts",
            "Ended rollouts: Promoted, TookOver, RolledBack, Failed, Superseded, Withdrawn, Undone",
            ["outcome"],
            registry=self.registry,
        )
        for outcome in OutcomeKind:
            # `increase` does not count the first event of a series that begins with it.
            self._rollouts.labels(outcome)
            self._duration.labels(outcome)

    def describe(self, state: State) -> None:
        """Registers the metrics that are read from `state`."""
        self.registry.register(_States(state))
        self.registry.register(ControllerRuntime(state, self._took, self._wait, self._requests))

    def dequeued(self, urgency: str, waited: float) -> None:
        self._wait.labels(urgency).observe(waited)

    def reconciled(self, result: str, took: float) -> None:
        self._took.labels(result).observe(took)

    def ended(self, key: Key, outcome: str, reason: str, took: float | None) -> None:
        self._rollouts.labels(outcome).inc()
        if took is not None:
            self._duration.labels(outcome).observe(took)
        self.outcomes.setdefault(key, Tally())[outcome] += 1
        if outcome in _ROLLBACKS:
            self.rollbacks.setdefault(key, Tally())[reason] += 1

    def commanded(self, command: str, result: str) -> None:
        self._commands.labels(command, result).inc()

    def rolled_back(self, delay: float) -> None:
        self._delay.observe(delay)

    def deleted(self, key: Key) -> None:
        self.rollbacks.pop(key, None)
        self.outcomes.pop(key, None)

    def requested(self, verb: str, resource: str, code: int) -> None:
        """Counts one request to the API server; code 0: it got no answer."""
        self._requests.labels(verb, resource, str(code)).inc()

    def trace(self) -> aiohttp.TraceConfig:
        """Counts the requests of an HTTP session by their `trace_request_ctx`, which is the verb
        and the resource; a request without one has resource `other`."""
        config = aiohttp.TraceConfig()

        def count(context: Any, method: str, code: int) -> None:
            verb, resource = context.trace_request_ctx or (method.lower(), "other")
            self.requested(verb, resource, code)

        async def answered(_: Any, context: Any, end: aiohttp.TraceRequestEndParams) -> None:
            count(context, end.method, end.response.status)

        async def unanswered(
            _: Any, context: Any, end: aiohttp.TraceRequestExceptionParams
        ) -> None:
            count(context, end.method, 0)

        config.on_request_end.append(answered)
        config.on_request_exception.append(unanswered)
        return config

    async def measure_loop_lag(self) -> None:
        """Measures the event loop's lag, and counts its tasks at each scrape, until cancelled."""
        loop = asyncio.get_running_loop()
        self._tasks.set_function(lambda: len(asyncio.all_tasks(loop)))
        while True:
            began = loop.time()
            await asyncio.sleep(_LAG_EVERY)
            lag = max(0.0, loop.time() - began - _LAG_EVERY)
            self._lag.observe(lag)
            self._worst.add(time.monotonic(), lag)


class _States(Collector):
    def __init__(self, state: State) -> None:
        self._state = state

    def describe(self) -> Iterable[Metric]:
        """Returns the metrics by whose names a scrape can select."""
        return self.collect()

    def collect(self) -> Iterable[Metric]:
        state = self._state
        for name, text, value in (
            ("canarium_queue_depth", "Keys that are due and wait", state.queue_depth()),
            ("canarium_queue_oldest_seconds", "Age of the oldest of them", state.queue_oldest()),
            ("canarium_oldest_watch_seconds", "Silence of the quietest watch", _watch(state)),
            ("canarium_leader", "1 in the process that may write", int(state.leading())),
        ):
            yield GaugeMetricFamily(name, text, value=value)
        if state.shards is not None:
            text = "Shards that the process leads; only with scope.shards above 1"
            yield GaugeMetricFamily("canarium_shards_led", text, value=state.shards())
        models = GaugeMetricFamily("canarium_models", "Models by phase", labels=["phase"])
        for phase, count in Tally(state.phases()).items():
            models.add_metric([phase], count)
        yield models


def _watch(state: State) -> float:
    try:
        return state.oldest_watch()
    except RuntimeError:
        return float("inf")
