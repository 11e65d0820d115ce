"""Weights by pod counts (R5, R6) and the one guard that stands above all (R0)."""

from __future__ import annotations

from canarium.core.facts.observed import Observed


def pods_needed_by_service(weight: int, stable_count: int) -> int:
    """Candidate pods for `weight` percent beside `stable_count` pods of stable.

    With c candidates the split is c / (c + N), so c = N·w / (100 − w), rounded up, between 1
    and N; a weight of 100 asks for N.
    """
    count = max(1, stable_count)
    if weight >= 100:
        return count
    return max(1, min(count, -(-count * weight // (100 - weight))))


def pods_needed_by_route(weight: int, stable_count: int) -> int:
    """Candidate pods for `weight` percent of the requests that a route gives to `stable_count`."""
    count = max(1, stable_count)
    return max(1, -(-count * min(weight, 100) // 100))


def share(candidate_ready: int, stable_ready: int) -> int:
    """Percent of new connections that reach the candidate when the Service selects both."""
    total = candidate_ready + stable_ready
    return round(100 * candidate_ready / total) if total else 0


def safe_to_select(color: str | None, observed: Observed) -> bool:
    """Whether selecting `color` leaves callers no worse (R0).

    Selecting a colour without a ready pod is refused while the present selection has one.
    """
    if color == "":
        return True
    # One that is not seen, as it lost its labels, may lead to any.
    serving = observed.service.color if observed.service else ""
    if serving is None:
        return True
    ready_now = [p for p in observed.pods if p.serves and serving in ("", p.color)]
    ready_then = [p for p in observed.pods if p.serves and p.color == color]
    return bool(ready_then) or not ready_now
