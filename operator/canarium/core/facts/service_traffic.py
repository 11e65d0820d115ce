"""Traffic behind the callers' Service alone: split by ready pods, and by connection (R6)."""

from __future__ import annotations

from dataclasses import dataclass

from canarium.core.facts.observed import Service
from canarium.core.facts.traffic import TrafficView
from canarium.core.facts.weights import pods_needed_by_service, share


@dataclass(frozen=True)
class ServiceTraffic(TrafficView):
    """The Service selects one colour, or both while two versions share."""

    @property
    def kind(self) -> None:
        return None

    @property
    def record_object(self) -> Service | None:
        return self.observed.service

    def is_exposed(self, revision: str) -> bool:
        service = self.observed.service
        return bool(service and service.color == "" and service.traffic.candidate == revision)

    def has_weight(self, revision: str, weight: int) -> bool:
        # A weight of 0, of a spec whose router is not in effect yet, needs no selector.
        return not weight or (self.is_exposed(revision) and self.observed.has_endpoints(revision))

    def observed_weight(self, candidate: str, stable: str | None) -> None:
        return None

    def effective_weight(self, revision: str) -> int:
        service, ready = self.observed.service, self.observed.ready(revision)
        deployment = self.observed.deployment(revision)
        if service and service.color == "":
            running = self.observed.running_pods
            listed = [p for p in running if p.serves and p.name in service.endpoints]
            count = sum(1 for p in listed if p.revision == revision)
            return share(count, len(listed) - count)
        if deployment and service and service.color == deployment.color:
            return 100 if ready else 0
        return 0

    def routes_to(self, revision: str) -> bool:
        service, deployment = self.observed.service, self.observed.deployment(revision)
        color = service.color if service else None
        selected = color == "" or (deployment is not None and color == deployment.color)
        return selected and self.observed.ready(revision) > 0

    def exceeds(self, revision: str, entitled: int, stable_color: str | None) -> bool:
        service = self.observed.service
        return bool(
            service
            and service.color not in (None, stable_color)
            and self.routes_to(revision)
            and not entitled
        )

    def pods_needed(self, weight: int, stable_replicas: int) -> int:
        return pods_needed_by_service(weight, stable_replicas)
