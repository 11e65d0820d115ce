"""What a model has that this version does not know: its operator or its CRDs are newer."""

from __future__ import annotations

from functools import lru_cache

from canarium.api.states import Phase
from canarium.view.explanation import reason
from canarium.view.objects import Raw, part, text

#: The fields of both parts, as the CRD names them. Importing the models of the API takes longer
#: than most views; a test compares these names to them.
SPEC_FIELDS = frozenset(
    [
        "model",
        "notifications",
        "paused",
        "pod",
        "podDisruptionBudget",
        "podTemplate",
        "resources",
        "restartToken",
        "revisionHistoryLimit",
        "rollout",
        "runtime",
        "scaling",
        "traffic",
    ]
)
STATUS_FIELDS = frozenset(
    [
        "analysis",
        "bakeStartTime",
        "blockedDeletions",
        "candidate",
        "commands",
        "conditions",
        "failure",
        "gates",
        "history",
        "message",
        "observedGeneration",
        "outages",
        "pause",
        "phase",
        "previous",
        "progress",
        "readyReplicas",
        "rejectedWrites",
        "replicas",
        "revision",
        "route",
        "selector",
        "stable",
        "stableUnavailableStartTime",
        "standby",
        "step",
        "transitions",
        "version",
        "waitingFor",
        "warnings",
        "weight",
    ]
)
_PHASES = frozenset(Phase)


def unknown_parts(model: Raw) -> tuple[str, ...]:
    """Returns fields, the phase and the reason of the wait that this version does not know, for
    people; empty for a model that it knows completely."""
    status = part(model, "status")
    parts = [f"spec.{name}" for name in part(model, "spec") if name not in SPEC_FIELDS]
    parts += [f"status.{name}" for name in status if name not in STATUS_FIELDS]
    phase, wait = text(status, "phase"), text(part(status, "waitingFor"), "reason")
    if phase and phase not in _PHASES:
        parts.append(f"phase {phase}")
    if wait and not _is_known(wait):
        parts.append(f"wait {wait}")
    return tuple(parts)


@lru_cache(maxsize=256)
def _is_known(word: str) -> bool:
    return reason(word) is not None
