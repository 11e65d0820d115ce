"""Reasons for which a version fails, and how a revision ended (`status.history`)."""

from __future__ import annotations

from canarium.api.reasons.base import NOTHING, Reason

_ROLL_BACK = "Rolls back and does not try the version again."
_SPEC = "Fix the spec, or annotate `canarium.dev/retry`."
_CRASHED = (
    "Search the server's log for the first error or traceback; the last line, which the message "
    "contains, may be an access log. Then fix the image or the model."
)


class FailureReason(Reason):
    """Why a version fails. A failed fetch has the fetcher's reason (see below)."""

    SERVER_EXITED = (
        "ServerExited",
        "The server's process ended, with any exit code.",
        _ROLL_BACK,
        _CRASHED,
    )
    CRASH_LOOP = (
        "CrashLoopBackOff",
        "The server keeps exiting and the kubelet restarts it.",
        _ROLL_BACK,
        _CRASHED,
    )
    OOM_KILLED = (
        "OOMKilled",
        "The server used more memory than its limit.",
        _ROLL_BACK,
        "Raise `spec.resources.limits.memory`.",
    )
    CONFIG_ERROR = (
        "ConfigError",
        "A Secret, ConfigMap, command or image name of the server is missing or invalid.",
        "Rolls back, after 60 s where the container runtime may still recover.",
        "Create what the message names, or fix the spec.",
    )
    IMAGE_PULL_FAILED = (
        "ImagePullFailed",
        "The server's image cannot be pulled, and no pod of the version runs it.",
        "Rolls back after 60 s.",
        "Check the image name and `imagePullSecrets`.",
    )
    FETCH_FAILED = (
        "FetchFailed",
        "The fetcher ended without a report.",
        _ROLL_BACK,
        "Read the log of the container `fetch`.",
    )
    ARTIFACT_CHANGED = (
        "ArtifactChanged",
        "A pod fetched other bytes than the first pod of the same revision.",
        "Rolls back a candidate; reports it for the promoted version.",
        "Restore the old bytes, or create a new version.",
    )
    UNSCHEDULABLE = (
        "Unschedulable",
        "No node has room for a pod.",
        "Fails the version after `rollout.unschedulableDeadline`, unless it had all its pods.",
        "Lower `spec.resources`, or add nodes.",
    )
    PROBE_FAILED = (
        "ProbeFailed",
        "The readiness probe has been failing for 10 s after it had passed.",
        _ROLL_BACK,
        "Check the server's log in your log store: its pods are deleted after the rollback.",
    )
    PROGRESS_DEADLINE_EXCEEDED = (
        "ProgressDeadlineExceeded",
        "The pods were not ready within `rollout.progressDeadline`.",
        _ROLL_BACK,
        "Check the named pod, or raise the deadline for slow models.",
    )
    SMOKE_TEST_FAILED = (
        "SmokeTestFailed",
        "A pod answered a smoke test wrongly.",
        "Rolls back; the version never gets traffic.",
        "Fix the model or the expectation.",
    )
    ANALYSIS_FAILED = (
        "AnalysisFailed",
        "A check failed more often in a row than `failureLimit` allows.",
        _ROLL_BACK,
        "Compare `observed` and `threshold` in `status.failure`.",
    )
    ANALYSIS_ERROR = (
        "AnalysisError",
        "A check could not be evaluated more often in a row than `errorLimit` allows.",
        _ROLL_BACK,
        "Fix the query or its source.",
    )
    INSUFFICIENT_DATA = (
        "InsufficientData",
        "A check had too few observations, and `onInsufficientData` is `RollBack`.",
        _ROLL_BACK,
        "Send more traffic, or lower `minSamples`.",
    )
    REPEATED_OUTAGES = (
        "RepeatedOutages",
        "The version lost all its ready pods three times during the bake.",
        "Undoes the promotion.",
        "Check the server's log.",
    )
    OUTAGE_DEADLINE_EXCEEDED = (
        "OutageDeadlineExceeded",
        "The version had no ready pods during the bake for `rollout.progressDeadline`.",
        "Undoes the promotion.",
        "Check the server's log.",
    )
    GATE_REJECTED = (
        "GateRejected",
        "A person or a system rejected the version at a gate.",
        _ROLL_BACK,
        "The message has who rejected it and why. " + _SPEC,
    )
    GATE_FAILED = (
        "GateFailed",
        "The Job of a gate ended with another exit code than 0.",
        _ROLL_BACK,
        "The message has the exit code and the termination message. " + _SPEC,
    )
    GATE_TIMED_OUT = (
        "GateTimedOut",
        "A gate got no result within its `timeout`, and its `onError` is `RollBack`.",
        _ROLL_BACK,
        _SPEC,
    )
    ABORTED = (
        "Aborted",
        "The command `abort` ended the rollout.",
        _ROLL_BACK,
        _SPEC,
    )
    UNDONE = (
        "Undone",
        "The command `undo` ended the bake.",
        "Returns the traffic to the previous version.",
        _SPEC,
    )
    UNKNOWN = (
        "Unknown",
        "The version failed earlier, and the recorded cause was lost.",
        "Does not try the version again.",
        _SPEC,
    )


class OutcomeReason(Reason):
    """Why a revision was promoted or ended, besides the reasons of failures."""

    FIRST_VERSION = (
        "FirstVersion",
        "The first version of the model was promoted.",
        "Nothing.",
        NOTHING,
    )
    STEPS_COMPLETED = (
        "StepsCompleted",
        "Every step of the rollout is complete.",
        "Promotes the version.",
        NOTHING,
    )
    STABLE_UNAVAILABLE = (
        "StableUnavailable",
        "The stable version had no ready pods for too long, and this version served in its place.",
        "Promotes this version.",
        "Check why the old version failed.",
    )
    SPEC_CHANGED = (
        "SpecChanged",
        "A newer spec replaced this version before it was promoted.",
        "Deletes its pods.",
        NOTHING,
    )
    REVERTED_TO_STABLE = (
        "RevertedToStable",
        "The spec returned to the stable version.",
        "Deletes the candidate's pods.",
        NOTHING,
    )
