"""A ModelDeployment in every state that Argo CD can meet, made by the real decisions.

Each scenario is a story in virtual time; its end is a file of testdata. What Argo CD must show and
offer is written here by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from canarium.core.facts.object_ref import ObjectRef
from canarium.core.facts.observed import Rejection
from canarium.core.phases import terminating
from canarium.core.status.unsupported import status_of
from core.cluster import Cluster, spec

ACTIONS = (
    "promote",
    "promote-full",
    "abort",
    "retry",
    "pause",
    "resume",
    "undo",
    "approve",
    "reject",
    "rerun",
)
NEW_YEAR = 1_767_225_600.0
#: The token of an earlier command.
SEEN = "3999"
ICONS = {
    "promote": "fa fa-fw fa-step-forward",
    "promote-full": "fa fa-fw fa-fast-forward",
    "abort": "fa fa-fw fa-stop-circle",
    "retry": "fa fa-fw fa-redo",
    "pause": "fa fa-fw fa-pause-circle",
    "resume": "fa fa-fw fa-play-circle",
    "undo": "fa fa-fw fa-undo",
    "approve": "fa fa-fw fa-check-circle",
    "reject": "fa fa-fw fa-times-circle",
    "rerun": "fa fa-fw fa-redo",
}


@dataclass(frozen=True)
class Scenario:
    """How a state is reached, the health that Argo CD shows, the actions that it offers.

    `message` is the health's, when it is not the status' own phase and message; `metadata` is laid
    over the object's, and `status` makes its status of the object.
    """

    story: Callable[[], Cluster] | None
    health: str
    offered: frozenset[str] = frozenset()
    message: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    status: Callable[[dict[str, Any]], dict[str, Any]] | None = None

    def object(self, name: str) -> dict[str, Any]:
        """The object as `kubectl get -o yaml` shows it."""
        cluster = self.story() if self.story else None
        made = {
            "apiVersion": "canarium.dev/v1alpha1",
            "kind": "ModelDeployment",
            "metadata": {
                "name": "m",
                "namespace": "models",
                "generation": 1,
                "resourceVersion": str(4000 + list(SCENARIOS).index(name)),
                "uid": "5f0f3ea1-6b0e-4c39-9f1f-1c1d9f1a0001",
                "creationTimestamp": "2026-01-01T00:00:00Z",
                **self.metadata,
            },
            "spec": cluster.spec if cluster else spec("1"),
        }
        if cluster:
            given = {f"canarium.dev/{name}": value for name, value in cluster.annotations.items()}
            if given:
                made["metadata"] = {**made["metadata"], "annotations": given}
            status = cluster.status.model_dump(mode="json", by_alias=True, exclude_none=True)
            made["status"] = status
        if self.status:
            made["status"] = self.status(made)
        return made

    def expected(self, made: dict[str, Any]) -> dict[str, str]:
        """The health with its message."""
        status = made.get("status", {})
        said = self.message
        if said is None:
            said = f"{status['phase']}: {status['message']}"
        return {"status": self.health, "message": said}


def _new(version: str = "1", **facts: Any) -> Cluster:
    return Cluster(spec(version), now=NEW_YEAR, **facts)


def _live() -> Cluster:
    return _new().run(10)


def _rollout(
    seconds: float, *, broken: bool = False, command: str | None = None, **extra: Any
) -> Callable[[], Cluster]:
    """Version 1 is promoted, version 2 was asked for `seconds` ago, and a command just now."""

    def story() -> Cluster:
        cluster = _live()
        cluster.spec = _with("2", **extra)
        cluster.broken = {"2"} if broken else set()
        cluster.run(seconds)
        if command:
            named = cluster.status.candidate or cluster.status.stable
            assert named is not None
            cluster.annotations = {command: f"{named.revision}/{SEEN}"}
            cluster.run(5)
        return cluster

    return story


def _rolling_back() -> Cluster:
    """The decision that starts the rollback of the candidate, and none after it."""
    cluster = _rollout(1, broken=True)()
    while cluster.status.phase != "RollingBack":
        cluster.now += 0.1
        cluster._live()
        cluster.reconcile()
        assert cluster.now < NEW_YEAR + 60, cluster.status
    return cluster


def _with(version: str, **extra: Any) -> dict[str, Any]:
    """The spec of a version, rollout settings laid over the usual ones."""
    made = spec(version)
    rollout = {**made["rollout"], **extra.pop("rollout", {})}
    return {**made, "rollout": rollout, **extra}


def _scaled_up() -> Cluster:
    cluster = _live()
    cluster.spec = {**cluster.spec, "scaling": {"replicas": 5}}
    return cluster.run(1)


def _invalid() -> Cluster:
    cluster = _live()
    cluster.spec = spec("2")
    cluster.rejection = Rejection(
        ObjectRef("Deployment", ""), "spec.template.spec.containers[0].image: Required", False
    )
    return cluster.run(1)


def _undone() -> Cluster:
    cluster = _rollout(35)()
    return cluster.crash("2").run(10)


def _standby() -> Cluster:
    """The new version lost its pods in the bake, and the warm one answers."""
    cluster = _rollout(35)()
    cluster.boot = 1e9
    del cluster.deployments[cluster.revision("2")]
    return cluster.run(3)


def _paused_outage() -> Cluster:
    """All servers crash, and the fix is applied while paused."""
    cluster = _live().crash("1").run(12)
    cluster.spec = {**spec("2"), "paused": True}
    return cluster.run(8)


def _at_zero() -> Cluster:
    cluster = _rollout(20, rollout=MANUAL)()
    cluster.spec = {**cluster.spec, "scaling": {"replicas": 0}}
    return cluster.run(5)


def _terminating(made: dict[str, Any]) -> dict[str, Any]:
    """The status once the deletion has taken too long."""
    since = NEW_YEAR + 3_600.0
    names = tuple(made["metadata"]["finalizers"])
    return terminating.status_of(made, names, (), since=since, now=since + 6.0)


MANUAL = {"steps": [{"weight": 25, "pause": "Manual"}, {"weight": 50}]}
GATED = {"gates": [{"name": "risk", "before": "Weight", "weight": 50, "approval": {}}]}
ASKING = {
    "gates": [
        {"name": "risk", "before": "Weight", "weight": 50, "web": {"url": "https://risk.example"}}
    ]
}
TESTING = {
    "gates": [{"name": "eval", "before": "Weight", "weight": 50, "job": {"image": "eval:1"}}]
}
ROLLING = frozenset({"promote-full", "abort", "pause"})

SCENARIOS: dict[str, Scenario] = {
    "pending_no_status": Scenario(
        None, "Progressing", message="waiting for the operator to see this spec"
    ),
    "progressing_new_generation": Scenario(
        _live,
        "Progressing",
        message="waiting for the operator to see this spec",
        metadata={"generation": 2},
    ),
    "deleting": Scenario(
        _live,
        "Progressing",
        message="being deleted",
        metadata={
            "deletionTimestamp": "2026-01-01T01:00:00Z",
            "finalizers": ["foregroundDeletion"],
        },
    ),
    "starting_first_version": Scenario(lambda: _new().run(1), "Progressing"),
    "failed_first_version": Scenario(
        lambda: _new(broken={"1"}).run(10), "Degraded", frozenset({"retry"})
    ),
    "ready": Scenario(_live, "Healthy"),
    "ready_scaling_up": Scenario(_scaled_up, "Progressing"),
    "ready_without_pods": Scenario(lambda: _live().crash("1").run(1), "Degraded"),
    "progressing_waiting_for_pods": Scenario(_rollout(1), "Progressing", ROLLING),
    "progressing_step_pause": Scenario(_rollout(6), "Progressing", ROLLING | {"promote"}),
    "progressing_recreate": Scenario(
        _rollout(2, rollout={"strategy": "Recreate"}), "Progressing", ROLLING
    ),
    "suspended_manual_pause": Scenario(
        _rollout(20, rollout=MANUAL), "Suspended", ROLLING | {"promote"}
    ),
    "suspended_by_command": Scenario(
        _rollout(6, command="pause"), "Suspended", frozenset({"abort", "resume"})
    ),
    "suspended_while_baking": Scenario(
        _rollout(30, command="pause"),
        "Suspended",
        frozenset({"resume", "undo"}),
    ),
    "aborted": Scenario(_rollout(6, command="abort"), "Degraded", frozenset({"retry"})),
    "suspended_by_spec": Scenario(_rollout(6, paused=True), "Suspended", frozenset({"abort"})),
    "baking": Scenario(_rollout(35), "Healthy", frozenset({"pause", "undo"})),
    "rolling_back": Scenario(_rolling_back, "Degraded", frozenset({"retry"})),
    "rolled_back": Scenario(_rollout(20, broken=True), "Degraded", frozenset({"retry"})),
    "rolled_back_while_baking": Scenario(_undone, "Degraded", frozenset({"retry"})),
    "invalid": Scenario(_invalid, "Degraded"),
    "pending_not_looked_at": Scenario(
        None,
        "Progressing",
        message="waiting for the operator to see this spec",
        # The CRD's own default.
        status=lambda made: {"observedGeneration": -1},
    ),
    "not_understood": Scenario(
        _live,
        "Degraded",
        status=lambda made: status_of(made, "spec.shadow: unknown field", NEW_YEAR),
    ),
    "bake_with_a_standby": Scenario(_standby, "Degraded", frozenset({"pause", "undo"})),
    "paused_while_stable_is_down": Scenario(_paused_outage, "Degraded", frozenset({"abort"})),
    "suspended_at_zero": Scenario(_at_zero, "Suspended", ROLLING),
    "deletion_blocked": Scenario(
        _live,
        "Progressing",
        metadata={
            "deletionTimestamp": "2026-01-01T01:00:00Z",
            "finalizers": ["example.com/audit"],
        },
        status=_terminating,
    ),
    # A system decides, so the rollout is not suspended.
    "progressing_at_web_gate": Scenario(_rollout(20, rollout=ASKING), "Progressing", ROLLING),
    "progressing_at_job_gate": Scenario(
        _rollout(20, rollout=TESTING), "Progressing", ROLLING | {"rerun"}
    ),
    "suspended_at_gate": Scenario(
        _rollout(20, rollout=GATED), "Suspended", ROLLING | {"approve", "reject"}
    ),
}

#: For each action a state in which it is shown at work.
SHOWN = {
    "promote": "suspended_manual_pause",
    "promote-full": "progressing_step_pause",
    "abort": "progressing_step_pause",
    "retry": "rolled_back",
    "pause": "baking",
    "resume": "suspended_by_command",
    "undo": "baking",
    "approve": "suspended_at_gate",
    "reject": "suspended_at_gate",
    "rerun": "progressing_at_job_gate",
}

#: For each action a state in which it can name no revision, and its message then.
REFUSED = {
    "promote": ("ready", "there is no candidate to promote"),
    "promote-full": ("ready", "there is no candidate to promote"),
    "abort": ("ready", "there is no candidate to abort"),
    "retry": ("ready", "no version has failed"),
    "pause": ("pending_no_status", "there is nothing to pause"),
    "resume": ("pending_no_status", "there is nothing to resume"),
    "undo": ("pending_no_status", "no version is promoted"),
    "approve": ("ready", "no gate waits for a decision"),
    "reject": ("ready", "no gate waits for a decision"),
    "rerun": ("ready", "no gate waits for a Job"),
}


def revision_named(status: Mapping[str, Any], action: str) -> str:
    """The revision that a command must name: the one that the spec asks for."""
    if action == "retry":
        found = status["failure"]
    elif action == "undo":
        found = status["stable"]
    else:
        found = status.get("candidate") or status["stable"]
    revision: str = found["revision"]
    return revision
