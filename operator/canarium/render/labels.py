"""The labels and annotations that we write: an allow-list, never copied from the parent (R2)."""

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
GIVEN = ANNOTATIONS["traffic_since"]
#: What pods run: on a record of its own, on Service and route by revision.
IMAGES = ANNOTATIONS["images"]
#: On a record: from when to when it and those before it had traffic.
SERVED = f"{GROUP}/served"
#: The settings that a route was made from.
TRAFFIC = f"{GROUP}/traffic"
RETRY = f"{GROUP}/retry"
#: Set by a person: the model of this name may take the object over.
ADOPT = f"{GROUP}/adopt"
#: On what may change without a rollout: a hash of the spec that we applied last.
APPLIED = f"{GROUP}/applied"
#: A colour that no pod has: a Service that selects it selects nothing.
NO_COLOR = "none"


def of(model: str, revision: str | None = None) -> dict[str, str]:
    labels = {MANAGED_BY: "canarium", MODEL: model}
    if revision:
        labels[REVISION] = revision
    return labels
