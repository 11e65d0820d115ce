"""Summaries of many latencies. Pure; all times are seconds."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spread:
    """How `count` values are spread; all NaN when there are none."""

    count: int
    p50: float
    p99: float
    most: float


def spread(values: Iterable[float]) -> Spread:
    """The spread of `values` by the nearest-rank definition: every figure was really seen."""
    ordered = sorted(values)
    if not ordered:
        return Spread(0, math.nan, math.nan, math.nan)
    return Spread(len(ordered), at(ordered, 0.50), at(ordered, 0.99), ordered[-1])


def at(ordered: list[float], share: float) -> float:
    """The smallest value that at least `share` of `ordered` (not empty) do not exceed."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
