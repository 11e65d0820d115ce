"""The labels and annotations that the operator writes: an allow-list, never copied from the model
(R2)."""

from __future__ import annotations

from canarium import GROUP
from canarium.core.facts.traffic_record import ANNOTATIONS

MANAGED_BY = "app.kubernetes.io/managed-by"
MODEL = f"{GROUP}/model"
REVISION = f"{GROUP}/revision"
COLOR = f"{GROUP}/color"
STABLE = ANNOTATIONS["stable"]
CANDIDATE = ANNOTATIONS["candidate"]
QUARANTINED = ANNOTATIONS["quarantined"]
SINCE = ANNOTATIONS["promoted_at"]
#: Images that pods run: of one revision on its record, by revision on Service and route.
IMAGES = ANNOTATIONS["images"]
#: On a record: the periods in which it and earlier revisions had traffic.
SERVED = f"{GROUP}/served"
GATE_NONCE = f"{GROUP}/gate-nonce"
ROLLOUT_SETTINGS = f"{GROUP}/rollout-settings"
#: The settings that a route was made from.
TRAFFIC = f"{GROUP}/traffic"
#: On pods: the URI that the moving reference of their revision stood for (R26).
RESOLVED = f"{GROUP}/resolved"
#: On a record: the lineage of the model, from its training run (JSON).
TRAINING_RUN = f"{GROUP}/training-run"
#: On a record: the state that the registry shows for it, and since when.
TAGGED = f"{GROUP}/tagged"
#: On Jobs of gates and their pods: the gate. On Services of revisions for such Jobs: empty.
GATE = f"{GROUP}/gate"
#: Set by a user: the model of this name may adopt the object.
ADOPT = f"{GROUP}/adopt"
#: On kinds that may change without a rollout: a hash of the spec that was last applied.
APPLIED = f"{GROUP}/applied"
#: A color that no pod has: a Service that selects it selects nothing.
NO_COLOR = "none"


def of(model: str, revision: str | None = None) -> dict[str, str]:
    labels = {MANAGED_BY: "canarium", MODEL: model}
    if revision:
        labels[REVISION] = revision
    return labels
