"""Reports that a model has been terminating for a while. Nothing else is written (R20).

A deletion that takes its usual time is not reported: a write for each of thousands of models that
are deleted at once would hold up the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from canarium.api.reasons import ConditionReason, ConditionType
from canarium.api.states import Phase
from canarium.core.decision.plan import Event
from canarium.core.facts.observed import BlockedDeletion
from canarium.core.messages import sentences
from canarium.core.outcomes.blocked_deletions import described, finalizers
from canarium.core.status.unmanaged import status_with
from canarium.core.times import time_text

REASON = ConditionReason.TERMINATING.value
#: Seconds after which a deletion is reported.
PATIENCE = 5.0
#: Fields of the status that are no longer updated during a deletion.
_STALE = ("waitingFor", "weight", "rejectedWrites", "replicas", "readyReplicas")
#: The same of each revision.
_REVISIONS = ("stable", "candidate", "previous")
_STALE_OF_REVISION = ("replicas", "readyReplicas", "effectiveWeight")


def status_of(
    raw: Mapping[str, Any],
    foreign: tuple[str, ...],
    blocked_deletions: tuple[BlockedDeletion, ...],
    *,
    since: float,
    now: float,
) -> dict[str, Any]:
    """Returns the status of the model `raw`, unchanged except for what the deletion affects.

    `foreign` are the finalizers of the model without those of the garbage collector.
    """
    reason, text = _why(raw, foreign, blocked_deletions, since)
    old = raw.get("status") or {}
    model = {**raw, "status": _observed_once(old)}
    unobserved = "The model is being deleted and is no longer observed"
    facts = {
        ConditionType.TERMINATING.value: ("True", reason.value, text),
        ConditionType.AVAILABLE.value: ("Unknown", REASON, unobserved),
        ConditionType.READY.value: ("False", REASON, text),
        ConditionType.PROGRESSING.value: ("False", REASON, ""),
        ConditionType.RECONCILING.value: ("False", REASON, ""),
        ConditionType.STALLED.value: ("False", REASON, ""),
    }
    return status_with(model, Phase.TERMINATING, text, facts, now)


def events(raw: Mapping[str, Any], status: Mapping[str, Any]) -> tuple[Event, ...]:
    """Returns one Event when the deletion is first reported."""
    if (raw.get("status") or {}).get("phase") == Phase.TERMINATING:
        return ()
    return (Event("Warning", REASON, status["message"]),)


def _observed_once(status: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the raw `status` without what is not observed any more, such as counts of pods."""
    observed = {key: status[key] for key in status if key not in _STALE}
    for name in _REVISIONS:
        if isinstance(observed.get(name), Mapping):
            part = observed[name]
            observed[name] = {key: part[key] for key in part if key not in _STALE_OF_REVISION}
    return observed


def _why(
    raw: Mapping[str, Any],
    foreign: tuple[str, ...],
    blocked_deletions: tuple[BlockedDeletion, ...],
    since: float,
) -> tuple[ConditionReason, str]:
    present = raw["metadata"].get("finalizers") or ()
    since_text = f"The model has been terminating since {time_text(since)}"
    alone = "Failed versions are no longer rolled back"
    kept_children = "Its children are left unchanged, and failed versions are not rolled back"
    if "foregroundDeletion" in present:
        text = f"{since_text}: the garbage collector deletes its children first"
        also = f"The model is also blocked by {finalizers(foreign)}" if foreign else ""
        return ConditionReason.FOREGROUND_DELETION, sentences(
            text, described(blocked_deletions), also, alone
        )
    if "orphan" in present and not foreign:
        text = f"{since_text}: the garbage collector is removing the owner from its children"
        return ConditionReason.ORPHANING_DELETION, sentences(text, kept_children)
    return ConditionReason.FINALIZERS_PENDING, sentences(
        f"{since_text}, blocked by {finalizers(foreign)}",
        kept_children,
        "Check the controller of the finalizer",
    )
