"""What a phase, a wait or a failure means: the texts of `api.reasons`, for one model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from canarium.api import reasons
from canarium.api.states import GateState
from canarium.view.tree import Tree

_TABLES: tuple[type[reasons.Reason], ...] = (
    reasons.FailureReason,
    reasons.HoldReason,
    reasons.ObstacleReason,
    reasons.RejectionReason,
    reasons.SpecReason,
    reasons.RouteReason,
    reasons.ConflictReason,
    reasons.CheckReason,
    reasons.WarningReason,
    reasons.OutcomeReason,
    reasons.ConditionReason,
    reasons.EventReason,
)

#: Waits that are explained by the gates themselves.
_AT_GATES = (
    reasons.HoldReason.WAITING_FOR_APPROVAL,
    reasons.HoldReason.WAITING_FOR_GATE,
    reasons.HoldReason.GATE_UNAVAILABLE,
    reasons.HoldReason.GATE_TIMED_OUT,
)


def reason(word: str) -> reasons.Reason | None:
    """Returns the reason with its texts; None for a word that this version does not know."""
    return next((member for table in _TABLES for member in table if member == word), None)


@dataclass(frozen=True, slots=True)
class Explanation:
    """One thing to explain: `subject` is the part of the model; the texts are those of the reason,
    and empty where it is unknown."""

    subject: str
    reason: str
    evidence: str
    meaning: str = ""
    reaction: str = ""
    advice: str = ""


def explanations(tree: Tree) -> tuple[Explanation, ...]:
    """Returns what a person needs to know now, the most important first: a failure, what is
    waited for, checks that did not pass, rejected writes and damage, and conditions that report
    a problem."""
    unique: dict[tuple[str, str], Explanation] = {}
    for explanation in _all(tree):
        unique.setdefault((explanation.reason, explanation.evidence), explanation)
    return tuple(unique.values())


def _all(tree: Tree) -> Iterator[Explanation]:
    if tree.failure:
        f = tree.failure
        where = ", ".join(x for x in (f.pod and f"pod {f.pod}", f.container) if x)
        values = " ".join(
            x
            for x in (
                f.observed and f"observed {f.observed}",
                f.threshold and f"bound {f.threshold}",
            )
            if x
        )
        evidence = "; ".join(x for x in (f.message, f.position, where, values) if x)
        yield _explain(f"failure of revision {f.revision}", f.reason, evidence)
    if tree.wait and tree.wait.reason in _AT_GATES:
        for gate in tree.gates:
            if gate.state == GateState.WAITING:
                evidence = f"holds {gate.point} since {gate.start_time}"
                evidence += f": {gate.message}" if gate.message else ""
                yield _explain(f"gate {gate.name}", tree.wait.reason, evidence)
    elif tree.wait:
        w = tree.wait
        where = ", ".join(x for x in (w.pod and f"pod {w.pod}", w.container) if x)
        values = f"{w.observed} of {w.threshold}" if w.observed and w.threshold else w.threshold
        yield _explain("wait", w.reason, "; ".join(x for x in (values, where) if x))
    for check in tree.checks:
        if check.verdict != "Pass":
            yield _explain(f"check {check.name}", check.reason, check.message)
    for problem in tree.problems:
        yield _explain(problem.object, problem.reason, problem.message)
    for condition in tree.conditions:
        # `Stalled` repeats the failure for tools that read the terms of kstatus.
        is_repeated = (
            condition.type == "Stalled"
            and tree.failure is not None
            and condition.reason == tree.failure.reason
        )
        if _is_bad(condition.type, condition.status) and not is_repeated:
            yield _explain(f"condition {condition.type}", condition.reason, condition.message)


#: Conditions for which True is the trouble, and for which False is. Others are explained by the
#: phase, the wait or the failure; those of the second row also hold up nothing.
_BAD_IF_TRUE = ("PodsBlocked", "WritesRejected", "Stalled", "RouteConflicted", "DeletionBlocked")
_BAD_IF_FALSE = ("Available", "SourceResolved", "RegistryTagged", "NotificationsReady")


def _is_bad(kind: str, status: str) -> bool:
    return (status == "True" and kind in _BAD_IF_TRUE) or (
        status == "False" and kind in _BAD_IF_FALSE
    )


def _explain(subject: str, word: str, evidence: str) -> Explanation:
    documented = reason(word)
    if documented is None:
        return Explanation(subject, word, evidence)
    return Explanation(
        subject, word, evidence, documented.meaning, documented.reaction, documented.advice
    )
