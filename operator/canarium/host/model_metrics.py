"""Connects the series of models with the caches and signals of an engine."""

from __future__ import annotations

from collections.abc import Iterator

from canarium.engine.cache.store import Key
from canarium.engine.engine import Engine
from canarium.telemetry.metrics import OperatorMetrics
from canarium.telemetry.model_series import ModelSeries
from canarium.telemetry.model_state import CheckState, escaped


def model_series(engine: Engine, metrics: OperatorMetrics) -> ModelSeries:
    """Returns the series of the models that `engine` manages, while it leads."""

    def checks(key: Key) -> Iterator[CheckState]:
        """Returns the latest evaluation of each check; the status has it only at a transition."""
        evidence = engine.external.evidence(key)
        for one in evidence.findings if evidence else ():
            yield CheckState(
                escaped(one.check), one.verdict, one.value, one.threshold, one.stable, one.samples
            )

    return ModelSeries(
        models=lambda: engine.led_models,
        checks=checks,
        rollbacks=metrics.rollbacks,
        outcomes=metrics.outcomes,
        leading=lambda: engine.workers.running,
    )
