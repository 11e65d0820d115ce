"""Reasons of Events, and of `status.warnings`.

An Event about a failure, a condition, an obstacle or a blocked rollback has the reason of what it
is about.
"""

from __future__ import annotations

from canarium.api.reasons.base import NOTHING, Reason


class EventReason(Reason):
    """Reasons that only Events have."""

    ROLLOUT_STARTED = (
        "RolloutStarted",
        "The rollout of a new version started beside the stable one.",
        "Starts its pods; it receives traffic once they are ready and its smoke tests have passed.",
        NOTHING,
    )
    WEIGHT_IN_EFFECT = (
        "WeightInEffect",
        "The candidate has the weight of a step, and the Service or the route applies it.",
        "Keeps the weight until the pause and the analysis of the step are over.",
        NOTHING,
    )
    ROLLOUT_PAUSED = (
        "RolloutPaused",
        "`spec.paused` or the command `pause` stops a rollout or a bake.",
        "Keeps the weight; still rolls back a failing version.",
        "To continue, annotate `canarium.dev/resume` or set `spec.paused` to false.",
    )
    WAITING_FOR_APPROVAL = (
        "WaitingForApproval",
        "A rollout waits for the decision of a person at an approval gate.",
        "Keeps the weight until a person decides.",
        "Annotate `canarium.dev/approve` or `canarium.dev/reject`, as the message shows.",
    )
    WAITING_FOR_PROMOTION = (
        "WaitingForPromotion",
        "A rollout waits at a step that only a person ends: it has `pause: Manual`, or its "
        "analysis was removed.",
        "Keeps the weight until the command `promote` arrives.",
        "To continue, annotate `canarium.dev/promote`; to roll back, `canarium.dev/abort`.",
    )
    WAITING_FOR_GATE = (
        "WaitingForGate",
        "A rollout waits for the result of a gate that is not an approval.",
        "Keeps the weight until the gate has passed.",
        "To give up, annotate `canarium.dev/abort`.",
    )
    GATE_PASSED = (
        "GatePassed",
        "A gate has a positive result.",
        "Continues when every gate of that point has passed.",
        NOTHING,
    )
    PROMOTED = (
        "Promoted",
        "A version is live.",
        "Keeps the previous version warm for `rollout.bakeTime`.",
        NOTHING,
    )
    ROLLED_BACK = (
        "RolledBack",
        "A version failed and gets no traffic any more.",
        "Does not try the same version again.",
        "Fix the spec, or annotate `canarium.dev/retry`.",
    )
    STABLE_UNAVAILABLE = (
        "StableUnavailable",
        "The stable version had no ready pods for too long; the version that served in its place "
        "is stable now.",
        "Continues the rollout beside the new stable version.",
        "Check why the old version failed.",
    )
    STANDBY_SERVING = (
        "StandbyServing",
        "The stable version has no ready pods, so another version serves in its place.",
        "Returns the traffic when the stable version has ready pods.",
        "Check the pods of the stable version.",
    )
    STABLE_RECOVERED = (
        "StableRecovered",
        "The stable version has ready pods again and serves.",
        "Nothing.",
        NOTHING,
    )
    SERVICE_RESTORED = (
        "ServiceRestored",
        "An outage is over: clients get answers again.",
        "Nothing.",
        NOTHING,
    )
    CHECK_PASSED = (
        "CheckPassed",
        "A check passed.",
        "Continues when all checks pass.",
        NOTHING,
    )
    CHECK_FAILED = (
        "CheckFailed",
        "A check fails.",
        "Rolls back, holds or continues, as `onFailure` of the check specifies.",
        "Compare value and bound.",
    )
    CHECK_INSUFFICIENT = (
        "CheckInsufficient",
        "A check has too few observations to decide.",
        "Follows `analysis.onInsufficientData`.",
        "Send more traffic, or lower `minSamples`.",
    )
    ANALYSIS_INSUFFICIENT = (
        "AnalysisInsufficient",
        "A step's time is over, and a check has too few observations, with `onInsufficientData: "
        "Promote`.",
        "Continues without that check.",
        "Send more traffic, or lower `minSamples`.",
    )
    INSUFFICIENT_DATA = (
        "InsufficientData",
        "A step's time is over, and a check has too few observations.",
        "Keeps the weight.",
        "Send more traffic, lower `minSamples`, or annotate `canarium.dev/promote`.",
    )
    COMMAND_ACCEPTED = (
        "CommandAccepted",
        "A command was carried out.",
        "Nothing.",
        NOTHING,
    )
    COMMAND_IGNORED = (
        "CommandIgnored",
        "A command was ignored; the message states why.",
        "Nothing.",
        "Correct the command and use another token.",
    )
    STATUS_IGNORED = (
        "StatusIgnored",
        "Something was found damaged and is ignored; `status.warnings` lists it.",
        "Decides from what remains.",
        "Find out who edited the object.",
    )
    WRITE_REJECTED = (
        "WriteRejected",
        "The API server rejects a write.",
        "Repeats the write.",
        "Remove what rejects it.",
    )
    ADOPTED = (
        "Adopted",
        "The model took over objects that a deleted model of the same name had left.",
        "Continues from their content.",
        NOTHING,
    )
    RECORD_RESTORED = (
        "RecordRestored",
        "A ControllerRevision was deleted, and was stored again from its Deployment.",
        "Changes no pod.",
        "Find out who deleted it.",
    )


class WarningReason(Reason):
    """What is damaged and therefore ignored (`status.warnings`)."""

    RECORD_ALTERED = (
        "RecordAltered",
        "A ControllerRevision was edited.",
        "Creates no Deployment from it.",
        "Delete it; the operator stores it again.",
    )
    RECORD_MISSING = (
        "RecordMissing",
        "A ControllerRevision was deleted, and its Deployment still runs.",
        "Leaves the Deployment as it is, and cannot create it again.",
        "Find out who deleted it.",
    )
    POD_STUCK = (
        "PodStuck",
        "A pod should have ended and still exists.",
        "Does not wait for it any longer.",
        "Check its node, or the finalizers that the message names.",
    )
    STATUS_IMPLAUSIBLE = (
        "StatusImplausible",
        "A field of the status cannot be true, as after an edit by hand.",
        "Ignores the field and uses what the cluster shows.",
        "Find out who edited the status.",
    )
