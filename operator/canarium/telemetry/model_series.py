"""The series of each model, as text.

Prometheus' client makes several objects per sample: with a thousand models, a scrape would block
the event loop, and with it rollbacks, for a tenth of a second. Lines are made here, for a few
models at a time; in between, other tasks run. What a model's series need is read from its object
only after that has changed.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from canarium.telemetry import model_families as families
from canarium.telemetry.model_families import FAMILIES, Family
from canarium.telemetry.model_state import CheckState, ModelState, escaped, model_state

Key = tuple[str, str]
#: Models between two turns of other tasks: about a millisecond, or ten if all of them are new.
_SLICE = 50


class CachedObject(Protocol):
    """A model in the cache: `version` changes with every change of `raw`."""

    @property
    def version(self) -> int: ...
    @property
    def raw(self) -> Mapping[str, Any]: ...


class ModelSeries:
    """`models` returns the models by namespace and name, `checks` the evaluations of a model's
    checks that are newer than its status; `rollbacks` counts by reason, `outcomes` the ended
    rollouts. `leading`: others publish nothing, so that no series appears twice."""

    def __init__(
        self,
        models: Callable[[], Mapping[Key, CachedObject]],
        checks: Callable[[Key], Iterable[CheckState]],
        rollbacks: Mapping[Key, Mapping[str, int]],
        outcomes: Mapping[Key, Mapping[str, int]],
        leading: Callable[[], bool],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._models, self._checks = models, checks
        self._rollbacks, self._outcomes = rollbacks, outcomes
        self._leading, self._now = leading, now
        #: The state of each model with the version that it was read from.
        self._states: dict[Key, tuple[int, ModelState]] = {}

    async def text(
        self, names: frozenset[str] = frozenset(), *, openmetrics: bool = False
    ) -> bytes:
        """Returns the families of all models in Prometheus' text format, or in OpenMetrics' without
        its end; only those of `names`, if it has any."""
        selected = [one for one in FAMILIES if not names or one.name in names]
        if not selected or not self._leading():
            return b""
        models, now = list(self._models().items()), self._now()
        states: dict[Key, tuple[int, ModelState]] = {}
        lines: dict[str, list[str]] = {family.name: [] for family in FAMILIES}
        for index, (key, model) in enumerate(models):
            if index % _SLICE == _SLICE - 1:
                await asyncio.sleep(0)
            versioned = self._states.get(key)
            if versioned is None or versioned[0] != model.version:
                versioned = (model.version, model_state(model.raw))
            states[key] = versioned
            state = versioned[1]
            checks = tuple(self._checks(key)) or state.checks
            _add(lines, state, checks, now)
            for family, counts in (
                (families.ROLLBACKS, self._rollbacks),
                (families.ROLLOUTS, self._outcomes),
            ):
                for label, count in list(counts.get(key, {}).items()):
                    _put(lines, state.labels, family, count, escaped(label))
        self._states = states
        parts = [
            family.head(openmetrics) + "".join(lines[family.name])
            for family in selected
            if lines[family.name]
        ]
        return "".join(parts).encode(errors="replace")


def _add(
    lines: dict[str, list[str]],
    state: ModelState,
    checks: Iterable[CheckState],
    now: float,
) -> None:
    """Adds the samples of one model to the lines of each family."""

    def put(family: Family, value: float | None, *values: str) -> None:
        _put(lines, state.labels, family, value, *values)

    put(families.INFO, 1, *state.info)
    put(families.PHASE, 1, state.phase)
    for condition in state.conditions:
        put(families.CONDITION, 1, *condition)
    for one in state.roles:
        put(families.WEIGHT, one.weight, one.role)
        put(families.EFFECTIVE_WEIGHT, one.effective_weight, one.role)
        put(families.REPLICAS, one.replicas, one.role)
        put(families.READY_REPLICAS, one.ready_replicas, one.role)
    if state.step:
        put(families.STEP, state.step[0])
        put(families.STEPS, state.step[1])
    if state.hold:
        put(families.HOLD, round(max(0.0, now - state.hold[1]), 3), state.hold[0])
    for check in checks:
        put(families.CHECK_VALUE, check.value, check.name)
        put(families.CHECK_BOUND, check.bound, check.name)
        put(families.CHECK_STABLE, check.stable, check.name)
        put(families.CHECK_SAMPLES, check.samples, check.name)
        put(families.CHECK_VERDICT, 1, check.name, check.verdict)


def _put(
    lines: dict[str, list[str]], model: str, family: Family, value: float | None, *labels: str
) -> None:
    """Adds a sample with the labels of a model and its own, unless it is not a finite number."""
    if value is None or not math.isfinite(value):
        return
    more = "".join(f',{name}="{text}"' for name, text in zip(family.labels, labels, strict=True))
    lines[family.name].append(f"{family.name}{model}{more}}} {value!r}\n")
