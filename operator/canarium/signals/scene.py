"""What a source has to know of one model: where its pods are and how its servers speak."""

from __future__ import annotations

from dataclasses import dataclass, field

from canarium.api.model import Rollout
from canarium.api.server import Metrics
from canarium.signals.smoke import Target


@dataclass(frozen=True, slots=True)
class Place:
    """A ready pod, and which incarnation of its server answers there."""

    target: Target
    incarnation: str = ""


@dataclass(frozen=True, slots=True)
class Scene:
    """One model at one moment. `pods` has the ready pods of each revision."""

    namespace: str
    model: str
    rollout: Rollout
    metrics: Metrics = field(default_factory=Metrics)
    predict_path: str | None = None
    pods: dict[str, tuple[Place, ...]] = field(default_factory=dict)

    def targets(self, revision: str | None) -> tuple[Target, ...]:
        return tuple(place.target for place in self.pods.get(revision or "", ()))
