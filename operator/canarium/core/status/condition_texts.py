"""What a condition means where nothing more specific is known, so that none has an empty message.

The texts are constant for each value of a condition: they never cause a separate write.
"""

from __future__ import annotations

from canarium.api.reasons import ConditionType

#: Type and value of a condition → its meaning. A value that is not listed has its own message.
_TEXTS: dict[tuple[str, bool], str] = {
    (ConditionType.AVAILABLE, True): "At least one endpoint of the model is ready",
    (ConditionType.PROGRESSING, False): "No rollout, rollback or start of a version is in progress",
    (ConditionType.ROLLED_BACK, False): "The version in spec has not been rolled back",
    (ConditionType.RECONCILING, True): "The model does not match its spec yet, as the condition "
    "Progressing explains",
    (ConditionType.RECONCILING, False): "No change is in progress for this spec",
    (ConditionType.STALLED, False): "Nothing waits for a change of the spec",
    (ConditionType.SMOKE_TESTS_READY, True): "The smoke tests can be run as specified",
    (ConditionType.ANALYSIS_READY, True): "Every check can be evaluated as specified",
    (ConditionType.GATES_READY, True): "Every gate can be asked or run as specified",
    (ConditionType.ROUTE_ACCEPTED, True): "Every gateway has accepted the current generation of "
    "the route",
    (ConditionType.AUTOSCALER_READY, True): "The HorizontalPodAutoscaler of the stable version "
    "works",
}


def meaning(kind: str, holds: bool) -> str:
    """Returns what a condition of this type means when it is True or False."""
    return _TEXTS.get((kind, holds), f"{kind} is {holds}")
