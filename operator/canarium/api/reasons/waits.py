"""Reasons of `status.waitingFor`: what a rollout, a rollback or a bake waits for."""

from __future__ import annotations

from canarium.api.reasons.base import NOTHING, Reason


class HoldReason(Reason):
    """What is waited for. Where it is a route or the cluster, their own reasons are used."""

    WAITING_FOR_PODS = (
        "WaitingForPods",
        "Pods of the version are not ready yet.",
        "Waits until `rollout.progressDeadline`, then fails the version.",
        "If it lasts, check the named pod.",
    )
    ENDPOINTS_NOT_READY = (
        "EndpointsNotReady",
        "Pods of the version are ready, and the Service does not list them as endpoints yet.",
        "Waits for Kubernetes to update the endpoints; the progress deadline is paused.",
        "If it lasts, check the endpoint controller of the cluster.",
    )
    WAITING_FOR_GATEWAY = (
        "WaitingForGateway",
        "The route has a new weight that the gateway has not confirmed yet.",
        "Waits for the gateway; the step begins when the weight is in effect.",
        "If it lasts, check the gateway's controller.",
    )
    STEP_PAUSE = (
        "StepPause",
        "The pause of the current step has not ended.",
        "Continues when it ends.",
        "To continue at once, annotate `canarium.dev/promote`.",
    )
    MANUAL = (
        "Manual",
        "The current step has `pause: Manual`.",
        "Keeps the weight until the command arrives.",
        "To continue, annotate `canarium.dev/promote`; to roll back, `canarium.dev/abort`.",
    )
    WAITING_FOR_APPROVAL = (
        "WaitingForApproval",
        "An approval gate of `spec.rollout.gates` has no decision yet.",
        "Keeps the weight until a person decides; still rolls back a failing version.",
        "Annotate `canarium.dev/approve` or `canarium.dev/reject`, which requires the verb "
        "`approve` on the model.",
    )
    WAITING_FOR_GATE = (
        "WaitingForGate",
        "A gate of `spec.rollout.gates` has no result yet.",
        "Asks the system of the gate again or waits for its Job, and keeps the weight; still rolls "
        "back a failing version.",
        "To give up, annotate `canarium.dev/abort`.",
    )
    GATE_UNAVAILABLE = (
        "GateUnavailable",
        "The system of a web gate gives no usable answer, or the Job of a gate cannot run.",
        "Tries again, at most 60 s apart, and keeps the weight.",
        "Check the system or the Job, and the fields of the gate; to give up, annotate "
        "`canarium.dev/abort`.",
    )
    GATE_TIMED_OUT = (
        "GateTimedOut",
        "A gate got no result within its `timeout`, and its `onError` is `Hold`.",
        "Keeps the weight, and still accepts a result.",
        "Decide about an approval gate with `canarium.dev/approve` or `canarium.dev/reject`, run "
        "a Job again with `canarium.dev/rerun`, or roll back with `canarium.dev/abort`.",
    )
    PAUSED = (
        "Paused",
        "`spec.paused` or the command `pause` stops the clocks of steps and bake.",
        "Keeps the weight; still rolls back a failing version.",
        "To continue, annotate `canarium.dev/resume` or set `spec.paused` to false.",
    )
    BAKE = (
        "Bake",
        "The version is promoted, and the previous one stays warm for `rollout.bakeTime`.",
        "Deletes the previous version when the time is over.",
        "To return to the previous version, annotate `canarium.dev/undo`.",
    )
    SMOKE_TESTS = (
        "SmokeTests",
        "The smoke tests have no result yet.",
        "Gives the version traffic when they pass.",
        NOTHING,
    )
    ANALYSIS = (
        "Analysis",
        "The step's time is over, and a check has not passed yet.",
        "Continues when every check passes.",
        NOTHING,
    )
    CHECK_FAILED = (
        "CheckFailed",
        "A check fails whose `onFailure` is `Hold`.",
        "Keeps the weight until the check passes.",
        "Annotate `canarium.dev/promote` to continue, or `canarium.dev/abort` to roll back.",
    )
    ANALYSIS_REMOVED = (
        "AnalysisRemoved",
        "The step began with an analysis that the spec no longer has.",
        "Keeps the weight.",
        "To continue, annotate `canarium.dev/promote`.",
    )
    ANALYSIS_NOT_READY = (
        "AnalysisNotReady",
        "Checks of the analysis are missing: a template does not exist, or cannot be used.",
        "Keeps the weight, and still evaluates the other checks.",
        "Correct what the condition `AnalysisReady` names.",
    )
    INSUFFICIENT_DATA = (
        "InsufficientData",
        "A check has too few observations to decide.",
        "Waits, continues or rolls back, as `analysis.onInsufficientData` specifies.",
        "Send more traffic, or lower `minSamples`.",
    )
    PODS_UNREACHABLE = (
        "PodsUnreachable",
        "No connection to a pod that is Ready succeeds, so nothing is known about its version.",
        "Holds the rollout and retries.",
        "Allow the operator in the NetworkPolicy or the service mesh.",
    )
    STABLE_UNAVAILABLE = (
        "StableUnavailable",
        "The stable version has no ready pods, and another version serves in its place.",
        "Promotes that version if this lasts as long as `rollout.progressDeadline`.",
        "Check the pods of the stable version.",
    )
    SCALED_TO_ZERO = (
        "ScaledToZero",
        "The model is scaled to zero during a rollout or a bake, or before its first version was "
        "promoted. No version is judged without pods.",
        "Continues when the model is scaled up.",
        NOTHING,
    )
    SCALING_UP_STABLE = (
        "ScalingUpStable",
        "The model was scaled up from zero, and the stable version gets its pods first.",
        "Continues the rollout when they are ready.",
        NOTHING,
    )
    SCALING_DOWN_STABLE = (
        "ScalingDownStable",
        "Strategy `Recreate`: the stable version is scaled down first.",
        "Starts the new version when the old pods have ended; no version serves until then.",
        "If it lasts, check the pod that is terminating.",
    )
    TERMINATING_OLD_REVISIONS = (
        "TerminatingOldRevisions",
        "Pods of an older revision are still terminating.",
        "Creates the new version when they have ended.",
        "If it lasts, check the pod that is named.",
    )
    TERMINATING_FAILED_REVISION = (
        "TerminatingFailedRevision",
        "A failed version is losing its traffic, and its pods are being deleted.",
        "Reports the rollback as complete when no traffic reaches it.",
        NOTHING,
    )
    RECREATING_DEPLOYMENT = (
        "RecreatingDeployment",
        "The Deployment of the stable version was deleted.",
        "Creates it again from the stored revision.",
        "Find out who deleted it.",
    )
    ROLLBACK_BLOCKED = (
        "RollbackBlocked",
        "A failed version keeps its traffic: the stable version has no ready pods, or the write "
        "that moves the traffic is rejected.",
        "Rolls back as soon as it can; repeats a rejected write at least every two seconds.",
        "Check the pods of the stable version, or remove what rejects the write.",
    )
    UNDO_BLOCKED = (
        "UndoBlocked",
        "A version that failed during the bake keeps its traffic: the previous version has no "
        "ready pods, or the write that moves the traffic is rejected.",
        "Undoes the promotion as soon as it can.",
        "Check the pods of the previous version, or remove what rejects the write.",
    )
    WRITE_REJECTED = (
        "WriteRejected",
        "The API server rejects the next write that the rollout needs.",
        "Repeats the write; the progress deadline is paused.",
        "Remove what rejects the write.",
    )


_BY_WORD = {reason.value: reason for reason in HoldReason}


def hold_reason(word: str) -> HoldReason | None:
    """Returns the member for `reason`; None for a reason of a route or of the cluster."""
    return _BY_WORD.get(word)
