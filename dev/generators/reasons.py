"""`docs/reference/reasons.md`: every type and reason with what it means and what to do."""

from __future__ import annotations

from collections.abc import Iterable

from canarium.api import reasons
from canarium.fetch.errors import ADVICE, MEANINGS

_HEAD = """<!-- Made from operator/canarium/api/reasons by `make generate`: do not edit. -->
# Reasons

Every word that appears as a type or a reason in `status`, in conditions and in Events: what it
means, what the operator does about it, and what you should do. Tools may depend on these words;
messages are for people and may change.
"""
_ROLL_BACK = "Rolls back and does not try the version again."
#: Reactions to a failed fetch that differ from that.
_REACTIONS = {
    "ArtifactChanged": "Rolls back a candidate; reports it for the promoted version.",
    "SourceUnavailable": "Rolls back; waits if another pod of the version has fetched the model.",
}
SECTIONS: tuple[tuple[str, type[reasons.Reason], str], ...] = (
    (
        "Types of conditions",
        reasons.ConditionType,
        "`status.conditions[].type`. `Available` to `Stalled` are always there; the others appear "
        "with what they are about.",
    ),
    (
        "Conditions",
        reasons.ConditionReason,
        "`status.conditions[].reason`, besides the [phase](phases.md) and the reasons in the "
        "sections below.",
    ),
    (
        "Waits",
        reasons.HoldReason,
        "`status.waitingFor.reason`, and the reason of `Progressing`. A wait for a route or the "
        "cluster has the reason of that section.",
    ),
    (
        "Failures",
        reasons.FailureReason,
        "`status.failure.reason`, and the reason of `RolledBack` after a rollback. See "
        "[what fails a version](../guides/failures.md).",
    ),
    (
        "History",
        reasons.OutcomeReason,
        "`status.history[].reason`, besides the reasons of failures.",
    ),
    ("Pods that cannot start", reasons.ObstacleReason, "The condition `PodsBlocked`."),
    (
        "Rejected writes",
        reasons.RejectionReason,
        "`status.rejectedWrites[].reason`, and the condition `WritesRejected`.",
    ),
    (
        "Invalid specs",
        reasons.SpecReason,
        "The reason of `Ready` and `Stalled` in phase `Invalid`.",
    ),
    (
        "Routes",
        reasons.RouteReason,
        "The condition `RouteAccepted`. A gateway that rejects a route uses its own reason.",
    ),
    ("Conflicts of routes", reasons.ConflictReason, "The condition `RouteConflicted`."),
    (
        "Checks, smoke tests and gates",
        reasons.CheckReason,
        "`status.analysis.checks[].reason`, and the conditions `AnalysisReady`, "
        "`SmokeTestsReady` and `GatesReady`.",
    ),
    (
        "Lost connections",
        reasons.ConnectionLoss,
        "How a connection to a pod is lost; the message names the likely cause.",
    ),
    (
        "Events",
        reasons.EventReason,
        "Events of the model. An Event may also have the reason of a failure, an obstacle, an "
        "invalid spec or a route, or the type of a condition (such as `DeletionBlocked`).",
    ),
    (
        "Warnings",
        reasons.WarningReason,
        "`status.warnings[].reason`; their Event has the reason `StatusIgnored`.",
    ),
)


def page() -> str:
    """The page's text."""
    return _HEAD + "".join(_section(*section) for section in SECTIONS) + _fetch()


def _section(title: str, words: Iterable[reasons.Reason], text: str) -> str:
    head = f"\n## {title}\n\n{text}\n\n"
    head += "| Word | Meaning | What the operator does | What you should do |\n|---|---|---|---|\n"
    rows = (
        f"| `{word.value}` | {word.meaning} | {_cell(word.reaction)} | {_cell(word.advice)} |\n"
        for word in words
    )
    return head + "".join(rows)


def _cell(text: str) -> str:
    return "" if text == reasons.NOTHING else text


def _fetch() -> str:
    rows = (
        f"| `{reason}` | {MEANINGS[reason]} | {_REACTIONS.get(reason, _ROLL_BACK)} "
        f"| {_sentence(advice)} |\n"
        for reason, advice in ADVICE.items()
    )
    return (
        "\n## Fetching a model\n\n"
        "The reason of a version that fails because its model cannot be fetched. The message has "
        "the details.\n\n| Word | Meaning | What the operator does | What you should do |\n"
        "|---|---|---|---|\n" + "".join(rows)
    )


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."
