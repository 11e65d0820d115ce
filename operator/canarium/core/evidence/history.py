"""The last evaluations of each check, for people: plots and sparklines. No decision reads them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

#: Evaluations of one check, and of all checks of a model; each check keeps at least `_AT_LEAST`.
PER_CHECK, IN_ALL, _AT_LEAST = 20, 80, 5


@dataclass(frozen=True, slots=True)
class PastEvaluation:
    """The verdict (a `Verdict`) on one window that ended at `at` (POSIX seconds), with its
    numbers."""

    at: float
    verdict: Literal["Pass", "Fail", "Insufficient"]
    value: float | None = None
    threshold: float | None = None
    stable: float | None = None
    samples: float | None = None


def evaluations_per_check(checks: int) -> int:
    """Returns how many evaluations of each check are kept, for a model with so many checks."""
    return max(_AT_LEAST, min(PER_CHECK, IN_ALL // max(1, checks)))


def appended(
    before: Sequence[PastEvaluation], new: PastEvaluation, limit: int
) -> tuple[PastEvaluation, ...]:
    """Returns the last `limit` evaluations, the newest last, with `new` at the end."""
    return (*before, new)[-limit:]
