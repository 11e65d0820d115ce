"""`docs/reference/labels.md`: every label and annotation in the group of Canarium."""

from __future__ import annotations

from collections.abc import Mapping

from canarium import GROUP
from canarium.core.context import approvals, reruns
from canarium.core.context.commands import COMMANDS
from canarium.core.facts import check_templates, takeover
from canarium.core.facts.resolution import RESOLVE_ANNOTATION
from canarium.core.facts.traffic_record import ANNOTATIONS
from canarium.host.scope_conflicts import SCOPE
from canarium.kube.shards import RECORD
from canarium.render import labels
from canarium.render.gate_job import GATE_OF

_HEAD = f"""<!-- Made from constants of operator/canarium by `make generate`: do not edit. -->
# Labels and annotations

Every key that begins with `{GROUP}/`. The operator copies no label or annotation of a
model to other objects; `spec.podTemplate.metadata` has those that pods should have.
"""


def _key(word: str) -> str:
    return f"{GROUP}/{word}"


#: Commands whose token names a gate.
_VALUES = {
    approvals.APPROVE: "<revision>/<gate>",
    approvals.REJECT: "<revision>/<gate>",
    reruns.RERUN: "<revision>/<gate>:<token>",
}
#: Annotations of a ModelDeployment.
OF_MODELS: Mapping[str, str] = {
    **{
        _key(word): f"Command `{_VALUES.get(word, '<revision>/<token>')}`: {command.done}."
        for word, command in COMMANDS.items()
    },
    _key(RESOLVE_ANNOTATION): "A new value makes the operator resolve a reference that "
    "`spec.model.follow` follows at once.",
    _key(approvals.BY): "Who decides, beside `approve` or `reject`.",
    _key(approvals.COMMENT): "Why, beside `approve` or `reject`.",
}
#: Annotations of objects of users.
OF_USERS: Mapping[str, str] = {
    labels.ADOPT: "On an object without a controller that has the name of a child: the name of the "
    "model that may adopt it. The operator removes it. See [ownership](../guides/ownership.md).",
}
#: Labels.
LABELS: Mapping[str, str] = {
    labels.MODEL: "Children of a model and the pods of its revisions: its name.",
    labels.REVISION: "Children and pods of one revision: its hash.",
    labels.COLOR: "Pods of a revision, and the selector of the Service while one revision serves: "
    "`blue` or `green`; `none` in a selector that selects nothing.",
    labels.GATE: "Jobs of gates and their pods: the gate. Services of revisions for such Jobs: "
    "empty.",
    GATE_OF: "Pods of the Jobs of gates: the model.",
}
#: Annotations of the Service that callers use, and of the route.
OF_TRAFFIC: Mapping[str, str] = {
    ANNOTATIONS["stable"]: "The stable revision.",
    ANNOTATIONS["candidate"]: "The candidate that has traffic.",
    ANNOTATIONS["quarantined"]: "The revision that failed and lost its traffic in this write.",
    ANNOTATIONS["previous"]: "The revision that is kept warm after a promotion.",
    ANNOTATIONS["promoted_at"]: "When the stable revision was promoted.",
    ANNOTATIONS["traffic_since"]: "The revision that was last to receive traffic, and since when.",
    ANNOTATIONS["images"]: "Images that pods run: by revision here, of one revision on its record.",
    ANNOTATIONS["grant"]: "What the rollout has granted the candidate: the weight, since when, and "
    "which pause is over.",
    labels.TRAFFIC: "On a route: the part `spec.traffic` from which it was made.",
}
#: Annotations of ControllerRevisions, which are the records of revisions.
OF_RECORDS: Mapping[str, str] = {
    _key("verdict"): "`Quarantined` for a revision that failed.",
    _key("failure"): "The failure with its evidence (JSON).",
    _key("commands"): "Commands that were carried out, as `command/token`; `paused` while one "
    "pauses the rollout.",
    _key("artifact"): "Digest of the bytes that the first pod fetched.",
    _key("signature"): "Who signed the model, as the first pod verified it.",
    _key("gates"): "Gates, their results and their evidence (JSON).",
    labels.SERVED: "Periods in which this and earlier revisions had traffic.",
    labels.ROLLOUT_SETTINGS: "Strategy and steps under which the rollout began (JSON).",
    _key(check_templates.ANNOTATION): "Check templates that judge the revision, with their "
    "arguments (JSON).",
    _key(takeover.ANNOTATION): "When it became stable without being promoted, because the "
    "stable revision had no ready pods; empty once it was released.",
    labels.TRAINING_RUN: "Run, commit, datasets, metrics and signature of an MLflow model (JSON).",
    labels.TAGGED: "The outcome that the registry shows for it, and since when.",
}
#: Annotations of other objects.
OF_OTHERS: Mapping[str, str] = {
    labels.APPLIED: "Children other than Deployments: hash of the spec that was last applied, so "
    "that drift is noticed.",
    labels.RESOLVED: "Pods: the fixed URI for which the moving reference of the model stood.",
    labels.GATE_NONCE: "Jobs of gates: which run of the gate it is.",
    SCOPE: "The Lease of the operator: the namespaces that it manages.",
    RECORD: "The same Lease, where several replicas lead: the shards of one (JSON). See "
    "[several leaders](../guides/leaders.md).",
}
#: Names with the same prefix that are neither labels nor annotations.
ELSEWHERE: Mapping[str, str] = {
    _key("CLUSTER.NAMESPACE.NAME"): "Tag of a model version in an MLflow registry: the outcome of "
    "its rollout. See [lineage](../guides/lineage.md).",
    _key("operator"): "`reportingComponent` of the Events.",
    _key("user"): "Extra field of the user in the audit log, for requests of the dashboard. See "
    "[the dashboard](../guides/dashboard.md).",
}
SECTIONS: tuple[tuple[str, str, Mapping[str, str]], ...] = (
    (
        "Annotations that you set on a ModelDeployment",
        "`kubectl modeldeploy` sets them, too. The answer to a command is in `status.commands` and "
        "an Event: see [commands](phases.md#commands).",
        OF_MODELS,
    ),
    ("Annotations that you set on other objects", "", OF_USERS),
    (
        "Labels",
        "Written by the operator. Children also have `app.kubernetes.io/managed-by: canarium`. In "
        "Prometheus the labels of pods are `canarium_dev_model` and `canarium_dev_revision`: see "
        "[Scrape the models](../guides/monitoring.md#scrape-the-models).",
        LABELS,
    ),
    (
        "Annotations of the Service and the route",
        "Written by the operator in the same write as selector or weights, and read after a "
        "restart. Do not edit them.",
        OF_TRAFFIC,
    ),
    (
        "Annotations of records",
        "Written by the operator on the ControllerRevision of each revision. `kubectl modeldeploy "
        "history` and [audit statements](../guides/auditing.md) read them.",
        OF_RECORDS,
    ),
    ("Annotations of other objects", "Written by the operator.", OF_OTHERS),
    ("The same prefix elsewhere", "Neither labels nor annotations.", ELSEWHERE),
)


def page() -> str:
    """The page's text."""
    return _HEAD + "".join(_section(*section) for section in SECTIONS)


def _section(title: str, text: str, keys: Mapping[str, str]) -> str:
    rows = "".join(f"| `{key}` | {meaning} |\n" for key, meaning in keys.items())
    intro = f"{text}\n\n" if text else ""
    return f"\n## {title}\n\n{intro}| Key | Meaning |\n|---|---|\n{rows}"
