"""The labels and annotations that we write: an allow-list, never copied from the parent (R2)."""

from __future__ import annotations

from canarium import GROUP

MANAGED_BY = "app.kubernetes.io/managed-by"
MODEL = f"{GROUP}/model"
REVISION = f"{GROUP}/revision"
COLOR = f"{GROUP}/color"
STABLE = f"{GROUP}/stable"
CANDIDATE = f"{GROUP}/candidate"
QUARANTINED = f"{GROUP}/quarantined"
PREVIOUS = f"{GROUP}/previous"
SINCE = f"{GROUP}/promoted-at"
GIVEN = f"{GROUP}/traffic-since"
#: What pods run: on a record of its own, on Service and route by revision.
IMAGES = f"{GROUP}/images"
#: On a record: from when to when it and those before it had traffic.
SERVED = f"{GROUP}/served"
#: The settings that a route was made from.
TRAFFIC = f"{GROUP}/traffic"
RETRY = f"{GROUP}/retry"
#: A colour that no pod has: a Service that selects it selects nothing.
NO_COLOR = "none"


def of(model: str, revision: str | None = None) -> dict[str, str]:
    labels = {MANAGED_BY: "canarium", MODEL: model}
    if revision:
        labels[REVISION] = revision
    return labels
