"""Weights by pod counts (R5, R6), and the guard against selecting pods that cannot serve (R0)."""

from __future__ import annotations

from canarium.core.facts.observed import Observed


def pods_needed_by_service(weight: int, stable_count: int) -> int:
    """Returns the candidate pods for `weight` percent beside `stable_count` pods of stable.

    With c candidates the split is c / (c + N), so c = N·w / (100 − w), rounded up, between 1
    and N; a weight of 100 asks for N.
    """
    count = max(1, stable_count)
    if weight >= 100:
        return count
    return max(1, min(count, -(-count * weight // (100 - weight))))


def pods_needed_by_route(weight: int, stable_count: int) -> int:
    """Returns the candidate pods for `weight` percent of the load of `stable_count` pods."""
    count = max(1, stable_count)
    return max(1, -(-count * min(weight, 100) // 100))


def share(candidate_ready: int, stable_ready: int) -> int:
    """Returns the percent of new connections to the candidate when the Service selects both."""
    total = candidate_ready + stable_ready
    return round(100 * candidate_ready / total) if total else 0


def safe_to_select(color: str | None, observed: Observed) -> bool:
    """Returns whether selecting `color` leaves callers no worse (R0).

    A colour without a ready pod must not be selected while the current selection has one. A pod
    that its ReplicaSet has released counts there: callers reach it as long as it is selected.
    """
    if color == "":
        return True
    # A Service that is not observed, as it lost its labels, may select either colour.
    serving = observed.service.color if observed.service else ""
    if serving is None:
        return True
    ready_now = [p for p in observed.running_pods if p.serves and serving in ("", p.color)]
    ready_then = [p for p in observed.pods if p.serves and p.color == color]
    return bool(ready_then) or not ready_now
