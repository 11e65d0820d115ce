"""Checks writes of Deployments and autoscalers: colours, floors and deletions (R1, R5, R8)."""

from __future__ import annotations

from canarium.core.facts.traffic_record import TrafficRecord
from canarium.core.facts.weights import pods_needed_by_route, pods_needed_by_service
from canarium.kube import resources
from canarium.render import labels
from simulation import route_invariants
from simulation.fields import Object
from simulation.kubelet import is_ready
from simulation.observed_cluster import RECENT, ObservedCluster
from simulation.server import KUBERNETES, Write
from simulation.summary import EXPLORED
from simulation.world import revision_of


class CapacityInvariants(ObservedCluster):
    def _deployment(self, write: Write) -> None:
        before, after = write.before, write.after
        if after is None:
            assert before
            self._deletion(before)
            return
        revision = revision_of(after)
        if before is None:
            self._made[after["metadata"]["uid"]] = after["spec"]["template"]
            self._creation(after)
            return
        if before["spec"]["template"] != after["spec"]["template"]:
            made = self._made.get(after["metadata"]["uid"])
            if made is not None and made != after["spec"]["template"]:
                self.broken("R1", f"pods of {revision} are created again from another template")
        if after["spec"]["replicas"] < before["spec"]["replicas"]:
            self._scaled_down(revision, after["spec"]["replicas"])

    def _scaled_down(self, revision: str, replicas: int) -> None:
        """R5: no revision gets fewer pods than asked for or than its weight needs. A candidate's
        share never rises since stable gets smaller."""
        settings = self._settings()
        if replicas == 0 and revision != self.stable() and self.sleeps():
            return  # The candidate of a model that its autoscaler has scaled to zero.
        if replicas == 0 and (settings.replicas == 0 or self._strategy() == "Recreate"):
            if self._strategy() != "Recreate":
                self._asleep(revision)
            return
        wanted = settings.replicas
        if revision == self.stable():
            if wanted is None or replicas < wanted:
                self.broken("R5", f"{revision} scaled down to {replicas}")
            self._shared(revision, replicas)
            return
        by = pods_needed_by_route if self.routed else pods_needed_by_service
        need = by(self._weight_of(revision), self._stable_count())
        if replicas < need and not self.staleness:
            self.broken("R5", f"{revision} scaled down to {replicas} of {need}")

    def _asleep(self, revision: str) -> None:
        """A model that is scaled to zero gives no candidate what stable had (I4): one that has no
        ready pod gives nothing, and what answers in its place is scaled with it (R15)."""
        service, stable = self.world.service(), self.stable()
        if revision != stable or not service or not self.least({stable}):
            return
        for other in self._named(service) - {stable}:
            if self.least({other}):
                self.broken("R5", f"stable is scaled to zero while {other} answers")

    def _autoscaled(self, write: Write) -> None:
        """R5: stable is not scaled to zero by its autoscaler while a candidate has traffic, which
        would give it everything."""
        if write.actor != KUBERNETES or write.resource is not resources.DEPLOYMENTS:
            return
        if not write.before or not write.after or write.after["spec"]["replicas"]:
            return
        revision = revision_of(write.before)
        if write.before["spec"]["replicas"] and revision == self.stable() and not self.staleness:
            EXPLORED["models scaled to zero by an autoscaler"] += 1
            if not self.edited_by_hand:
                self._asleep(revision)

    def _shared(self, stable: str, replicas: int) -> None:
        """The candidate's share beside that many pods of stable (router Service; I3)."""
        service, status = self.world.service(), self.world.status()
        revision = (status.get("candidate") or {}).get("revision")
        if self.routed or not service or not revision or revision not in self._named(service):
            return
        if self.world.clock.now() - self._service_edited_at < RECENT:
            return  # The candidate had no traffic a moment ago, so stable needed no floor.
        if self.most({stable}) <= replicas:
            return  # Only pods are deleted that receive no traffic.
        # The record of the traffic is ahead of the status when a decision grants the next step.
        grant = TrafficRecord.from_annotations(service["metadata"].get("annotations", {})).grant
        next_weight = grant.weight if grant and grant.revision == revision else 0
        weight, ready = max(self._weight_of(revision), next_weight), self.least({revision})
        if weight and 100 * ready > weight * (ready + replicas):
            self.broken("R5", f"{ready} pods at weight {weight} beside {replicas} of stable")

    def _creation(self, new: Object) -> None:
        color = new["spec"]["template"]["metadata"]["labels"][labels.COLOR]
        stable = self.stable()
        revision = revision_of(new)
        for other in (
            *self.world.pods(),
            *self.world.server.all(resources.DEPLOYMENTS, labels.MODEL),
        ):
            theirs = (other.get("spec", {}).get("template") or other)["metadata"]["labels"]
            ends = "deletionTimestamp" in other["metadata"]
            if self.routed and (ends or revision_of(other) != stable):
                continue  # Behind a route, pods of older versions may still end in a colour.
            same = theirs.get(labels.COLOR) == color
            if same and revision_of(other) != revision and not self._is_stuck(other):
                self.broken(
                    "colours", f"{revision} gets {color}, which {revision_of(other)} still has"
                )
                return

    def _deletion(self, gone: Object) -> None:
        """R8: pods go only when callers are not sent to them any more."""
        revision = revision_of(gone)
        route_invariants.check_deletion(self, revision)
        service = self.world.service()
        if not service or not self.least({revision}) or self._strategy() == "Recreate":
            return
        if revision in self._named(service):
            self.broken("R8", f"{revision} is deleted while the Service selects it")
        names = {p["metadata"]["name"] for p in self.world.pods(revision) if is_ready(p)}
        if not self.staleness and names & self.world.endpoint_names():
            self.broken("R8", f"{revision} is deleted while callers are sent to it")

    def _autoscaler(self, write: Write) -> None:
        """R5: stable's floor is held while a candidate exists or the bake lasts."""
        if not write.before or not write.after:
            return
        low, before = (w["spec"]["minReplicas"] for w in (write.after, write.before))
        status = self.world.status()
        beside = status.get("candidate") or status.get("previous")
        lasting = beside and self._exists(beside["revision"])
        if lasting and low < min(before, self._settings().max_replicas) and not self.staleness:
            self.broken("R5", f"the floor falls from {before} to {low} beside {beside}")
