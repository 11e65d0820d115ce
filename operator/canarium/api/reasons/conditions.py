"""Reasons that belong to a condition alone."""

from __future__ import annotations

from canarium.api.reasons.base import NOTHING, Reason


class ConditionReason(Reason):
    """Reasons that only conditions have."""

    SERVING = (
        "Serving",
        "`Available`: endpoints are ready.",
        "Nothing.",
        NOTHING,
    )
    RESOLVED = (
        "Resolved",
        "`SourceResolved`: the registry has answered, and the record has the result.",
        "Nothing.",
        NOTHING,
    )
    RESULT_HELD = (
        "ResultHeld",
        "`SourceResolved`: the followed reference names something else, and the model is paused.",
        "Rolls it out when the pause ends.",
        "To continue, annotate `canarium.dev/resume` or set `spec.paused` to false.",
    )
    SOURCE_FLAPPING = (
        "SourceFlapping",
        "`SourceResolved`: what the followed reference names changes again and again.",
        "Rolls out nothing new of it until ten successive answers agree, for twelve minutes or "
        "longer; what serves is unchanged.",
        "Find what moves it: two pipelines that use one alias, or a replica of the registry that "
        "lags behind.",
    )
    TAGS_WRITTEN = (
        "TagsWritten",
        "`RegistryTagged`: the registry has accepted every tag.",
        "Nothing.",
        NOTHING,
    )
    GATE_JOB_BLOCKED = (
        "GateJobBlocked",
        "`GatesReady`: the pod of a gate's Job cannot run, as when its image cannot be pulled or "
        "no node has room for it.",
        "Keeps the weight until the Job ends, or until the `timeout` of the gate.",
        "Fix what the message names; to give up, annotate `canarium.dev/abort`.",
    )
    GATE_JOB_LOST = (
        "GateJobLost",
        "`GatesReady`: the Job of a gate was lost three times before it ended.",
        "Keeps the weight, and runs no other Job for this revision by itself.",
        "Annotate `canarium.dev/rerun` to run it again, or `canarium.dev/abort`.",
    )
    MODEL_GATE_NOT_FOUND = (
        "ModelGateNotFound",
        "`GatesReady`: the ModelGate that `job.modelGate` names does not exist in the namespace, "
        "or its Job is too long.",
        "Keeps the weight when the gate is reached; runs the Job once the ModelGate exists.",
        "Create the ModelGate, or correct the name.",
    )
    CHECK_TEMPLATE_NOT_FOUND = (
        "CheckTemplateNotFound",
        "`AnalysisReady`: a template that `analysis.templates` names does not exist, or the "
        "operator may not read templates.",
        "Keeps the weight; continues once the template exists.",
        "Create the CheckTemplate or ClusterCheckTemplate, correct name and kind, or let the "
        "operator list the kind.",
    )
    INVALID_CHECK_TEMPLATE = (
        "InvalidCheckTemplate",
        "`AnalysisReady`: a template of `analysis.templates` cannot be used with any arguments, or "
        "the record of the version has checks of it that this operator cannot read.",
        "Keeps the weight; continues once that is corrected.",
        "Correct the template that the message names, or upgrade the operator.",
    )
    INVALID_ARGUMENTS = (
        "InvalidArguments",
        "`AnalysisReady`: an argument of a template is missing, unknown, or makes a check invalid.",
        "Keeps the weight; continues once the argument or the template is corrected.",
        "Correct `args` of the template that the message names.",
    )
    DUPLICATE_CHECK = (
        "DuplicateCheck",
        "`AnalysisReady`: two checks of the model have the same name.",
        "Keeps the weight, and evaluates the first of the two.",
        "Rename or remove one of the two checks that the message names.",
    )
    TOO_MANY_CHECKS = (
        "TooManyChecks",
        "`AnalysisReady`: the model and its templates have more checks than are evaluated.",
        "Keeps the weight, and evaluates as many as it can.",
        "Remove checks or templates.",
    )
    CLUSTER_NAME_MISSING = (
        "ClusterNameMissing",
        "`RegistryTagged`: `spec.model.writeBack` is set, and the operator has no name for its "
        "cluster, which is part of each tag.",
        "Writes no tag.",
        "Set `clusterName` in the chart's values, or remove `writeBack`.",
    )
    NO_READY_PODS = (
        "NoReadyPods",
        "`Available`: the promoted version has no ready pods, and no pod shows why.",
        "Moves traffic to another version with ready pods, if there is one.",
        "Check the pods and the nodes.",
    )
    NO_VERSION_PROMOTED = (
        "NoVersionPromoted",
        "`Available`: no version has been promoted yet.",
        "Promotes the first version when its pods are ready and its tests have passed.",
        NOTHING,
    )
    SCALED_TO_ZERO = (
        "ScaledToZero",
        "The model is scaled to zero, as `spec.scaling` asks.",
        "Continues a waiting rollout when the model is scaled up.",
        NOTHING,
    )
    SCALING_UP = (
        "ScalingUp",
        "`Available`: the model was scaled to zero before, and its pods are starting.",
        "Waits for the pods.",
        NOTHING,
    )
    RECREATING = (
        "Recreating",
        "`Available`: strategy `Recreate` has scaled down the old version to make room.",
        "Starts the new version when the old pods have ended.",
        NOTHING,
    )
    DEPLOYMENT_MISSING = (
        "DeploymentMissing",
        "The Deployment of the promoted version was deleted.",
        "Creates it again from the stored revision.",
        "Find out who deleted it.",
    )
    PODS_NOT_READY = (
        "PodsNotReady",
        "`Ready`: fewer pods are ready than wanted.",
        "Waits for the pods.",
        "If it lasts, check the pods.",
    )
    ENDPOINTS_NOT_READY = (
        "EndpointsNotReady",
        "`Ready`: the pods are ready, and the Service does not list them as endpoints yet.",
        "Waits for Kubernetes to update the endpoints.",
        NOTHING,
    )
    PROMOTED = (
        "Promoted",
        "`Ready`: the version in `spec` is promoted and healthy.",
        "Nothing.",
        NOTHING,
    )
    ROLLED_BACK = (
        "RolledBack",
        "`Ready`: the version in `spec` failed and gets no traffic.",
        "Does not try the same version again.",
        "Fix the spec, or annotate `canarium.dev/retry`.",
    )
    NOT_ROLLED_BACK = (
        "NotRolledBack",
        "`RolledBack`: the version in `spec` has not been rolled back.",
        "Nothing.",
        NOTHING,
    )
    NOT_STALLED = (
        "NotStalled",
        "`Stalled`: nothing needs a change of the spec.",
        "Nothing.",
        NOTHING,
    )
    UNKNOWN = (
        "Unknown",
        "The revision failed earlier, and the recorded cause was lost.",
        "Does not try the same version again.",
        "Fix the spec, or annotate `canarium.dev/retry`.",
    )
    RUNTIME_CHANGED = (
        "RuntimeChanged",
        "`RuntimeOutdated`: the runtime was edited after this revision was created.",
        "Keeps the pods as they are.",
        "To adopt the newer runtime, change `spec.restartToken`.",
    )
    NOTIFICATION_TEXT_INVALID = (
        "NotificationTextInvalid",
        "`NotificationsReady`: `title` or `body` of `spec.notifications` is not a template, or "
        "uses a variable that does not exist.",
        "Notifies with the texts of the sinks, followed by what is wrong.",
        "Fix the text that the message names.",
    )
    ADMISSION_POLICY = (
        "AdmissionPolicy",
        "`ModifiedByAdmission`: the named fields differ from what was applied.",
        "Keeps the change.",
        "Check that the change is intended.",
    )
    ROLLOUT_IN_PROGRESS = (
        "RolloutInProgress",
        "`SettingsPending`: the setting waits for the end of the rollout or the bake.",
        "Applies it then.",
        NOTHING,
    )
    VALID = (
        "Valid",
        "`SmokeTestsReady`, `AnalysisReady`, `GatesReady`: everything can be run as specified.",
        "Nothing.",
        NOTHING,
    )
    INVALID_TEST = (
        "InvalidTest",
        "A smoke test or an assertion is invalid, regardless of the version's responses.",
        "Holds the rollout; nothing is rolled back for it.",
        "Fix the test.",
    )
    SCALING = (
        "Scaling",
        "`AutoscalerReady`: the HorizontalPodAutoscaler works.",
        "Nothing.",
        NOTHING,
    )
    UNSUPPORTED_SPEC = (
        "UnsupportedSpec",
        "This version of the operator does not support a field of the spec or the status.",
        "Leaves the model unmanaged: failing versions are not rolled back.",
        "Upgrade the operator, or remove the field.",
    )
    FINALIZERS_PENDING = (
        "FinalizersPending",
        "A deletion waits for finalizers of other controllers.",
        "Waits for these controllers.",
        "Check the controllers of the named finalizers.",
    )
    FOREGROUND_DELETION = (
        "ForegroundDeletion",
        "The model is being deleted, and the garbage collector deletes its children first.",
        "Nothing.",
        NOTHING,
    )
    ORPHANING_DELETION = (
        "OrphaningDeletion",
        "The model is being deleted, and the garbage collector detaches its children.",
        "Leaves the children as they are.",
        NOTHING,
    )
    TERMINATING = (
        "Terminating",
        "The model is being deleted, so this condition is no longer observed.",
        "Nothing.",
        NOTHING,
    )
