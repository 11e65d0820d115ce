"""Sweeps, of which the quick loop runs a part (`make test-unit`) and `make test` everything."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from _pytest.mark.structures import ParameterSet


def every(cases: Iterable[object]) -> list[ParameterSet]:
    """All cases of a sweep, such as a crash at each write; the quick loop has every third."""
    return [
        pytest.param(case, marks=[pytest.mark.slow] if place % 3 else [])
        for place, case in enumerate(cases)
    ]


def first(cases: Iterable[object]) -> list[ParameterSet]:
    """All cases of a sweep; the quick loop has the first."""
    return [
        pytest.param(case, marks=[pytest.mark.slow] if place else [])
        for place, case in enumerate(cases)
    ]
