"""Types of conditions.

A condition also takes the reason of its subject: `Progressing` that of `status.waitingFor`,
`Ready` that of the failure, `RouteAccepted` that of the route.
"""

from __future__ import annotations

from canarium.api.reasons.base import NOTHING, Reason


class ConditionType(Reason):
    """The types of `status.conditions`."""

    AVAILABLE = (
        "Available",
        "Clients get answers: at least one endpoint of a promoted version is ready.",
        "When it is False, keeps or moves traffic to any version that has ready pods.",
        "When it is False, read its reason; it names the pod and the container.",
    )
    READY = (
        "Ready",
        "The version in `spec` is promoted, has all its pods ready, and its route is in effect.",
        "Sets it to False with the cause while a rollout runs, is blocked or was rolled back.",
        "Use it with `kubectl wait`; after a rollback, fix the spec or retry.",
    )
    PROGRESSING = (
        "Progressing",
        "A rollout, a rollback or the start of a version is under way.",
        "Continues by itself; the reason is what it waits for.",
        NOTHING,
    )
    ROLLED_BACK = (
        "RolledBack",
        "The version in `spec` failed, and no traffic reaches it any more.",
        "Does not try the same version again.",
        "Fix the spec, or annotate `canarium.dev/retry`.",
    )
    RECONCILING = (
        "Reconciling",
        "kstatus: the object is still being brought to its desired state.",
        "As for `Progressing`.",
        NOTHING,
    )
    STALLED = (
        "Stalled",
        "kstatus: nothing continues without a change, because the spec is invalid or its version "
        "failed.",
        "Keeps the promoted version serving.",
        "Fix what the reason names.",
    )
    TERMINATING = (
        "Terminating",
        "The model is being deleted and still exists after five seconds.",
        "Writes nothing but this status; does not roll back failing versions any more.",
        "Check the finalizers that the message names.",
    )
    ROLLBACK_BLOCKED = (
        "RollbackBlocked",
        "A failed version keeps its traffic because the write that takes it away is rejected.",
        "Repeats the write at least every two seconds.",
        "Remove what rejects the write: a policy, a webhook, a quota or a missing permission.",
    )
    WRITES_REJECTED = (
        "WritesRejected",
        "The API server rejects one or more writes; `status.rejectedWrites` lists them.",
        "Repeats each write, at most 30 s apart, and continues with everything else.",
        "Remove what rejects the write.",
    )
    PODS_BLOCKED = (
        "PodsBlocked",
        "Pods of the wanted or of the stable version cannot start.",
        "Holds the rollout, or counts its deadline, depending on the reason.",
        "Fix what the reason names.",
    )
    DELETION_BLOCKED = (
        "DeletionBlocked",
        "Objects of the model are being deleted and are kept by finalizers of other controllers.",
        "Waits for these controllers; a pod keeps its colour until it is deleted.",
        "Check the controllers of the named finalizers.",
    )
    AUTOSCALER_READY = (
        "AutoscalerReady",
        "The HorizontalPodAutoscaler of the stable version works.",
        "When it is False, reports the autoscaler's own reason; the version keeps serving.",
        "When it is False, fix the metrics or the CPU requests that the message names.",
    )
    SETTINGS_PENDING = (
        "SettingsPending",
        "`spec` has a router or a strategy that is not in effect yet.",
        "Applies it when the rollout and the bake are over.",
        NOTHING,
    )
    SOURCE_RESOLVED = (
        "SourceResolved",
        "What `spec.model.uri` names can move, and was resolved to what its revision serves.",
        "When it is False, asks the registry again, at most 30 s or `spec.model.follow.interval` "
        "later; what serves is unchanged.",
        "When it is False, fix what the reason names.",
    )
    REGISTRY_TAGGED = (
        "RegistryTagged",
        "The tags of the model's versions in the registry show how they stand here.",
        "When it is False, writes the tag again, at most 5 minutes later; rollouts continue.",
        "When it is False, fix what the reason names.",
    )
    RUNTIME_OUTDATED = (
        "RuntimeOutdated",
        "The runtime has changed since this revision was created.",
        "Keeps the pods as they are.",
        "To adopt the newer runtime, change `spec.restartToken`.",
    )
    MODIFIED_BY_ADMISSION = (
        "ModifiedByAdmission",
        "An admission policy or webhook changed what the operator applied.",
        "Keeps the change.",
        "Check that the change is intended.",
    )
    SMOKE_TESTS_READY = (
        "SmokeTestsReady",
        "The smoke tests can be run as the spec defines them.",
        "When it is False, holds the rollout and repeats the tests.",
        "When it is False, fix the test, or the network path to the pods.",
    )
    ANALYSIS_READY = (
        "AnalysisReady",
        "Every check can be evaluated as the spec defines it.",
        "When it is False, holds the rollout; nothing is rolled back for it.",
        "When it is False, fix the check that the message names.",
    )
    GATES_READY = (
        "GatesReady",
        "Every gate that waits can be asked or run as the spec defines it.",
        "When it is False, holds the rollout and tries again; nothing is rolled back for it before "
        "the `timeout` of the gate.",
        "When it is False, fix the gate or the system that the message names.",
    )
    NOTIFICATIONS_READY = (
        "NotificationsReady",
        "The texts in `spec.notifications` can be rendered. Present only while they cannot.",
        "When it is False, sinks send their own texts, followed by what is wrong.",
        "When it is False, fix the text that the message names.",
    )
    ROUTE_ACCEPTED = (
        "RouteAccepted",
        "Every gateway has accepted the current generation of the route.",
        "When it is False, changes no weight.",
        "When it is False, fix what the reason names.",
    )
    ROUTE_CONFLICTED = (
        "RouteConflicted",
        "Another route claims the same requests as the route of this model.",
        "Reports it and continues; weights have no effect on requests that the other route gets.",
        "Change the hostname or the path of one of the two routes.",
    )
