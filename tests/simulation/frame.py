"""The frame of a run: the world, the operator in it, the invariants, and the calm end.

At its end each run becomes calm: what befell the cluster is over, and the model must arrive
where its spec leads, and then rest.
"""

from __future__ import annotations

from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant

from canarium.core.facts.revision import digest_v1, identity_v1, short_name
from canarium.kube import resources
from canarium.render import labels
from simulation import route_invariants, specs
from simulation.clock import VirtualLoop
from simulation.gateways import TAKES
from simulation.invariants import Invariants
from simulation.operators import Operator
from simulation.server import PERSON
from simulation.serving_invariant import ServingInvariant
from simulation.summary import EXPLORED
from simulation.world import World, digest_of_spec

SHORT = st.sampled_from((0.1, 0.5, 1.0, 2.0, 3.0, 5.0))
TIMES = st.sampled_from((0.5, 1.0, 3.0, 8.0, 12.0, 25.0, 70.0))
COMMANDS = ("promote", "promote-full", "abort", "retry", "undo", "pause", "resume")
#: Virtual seconds in which a model must be where its spec leads, once no fault is injected.
CONVERGES_WITHIN = 600.0
RESTS_FOR = 300.0


class Frame(RuleBasedStateMachine):
    """What both forms of the operator share, but for what may happen."""

    form: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()
        self.loop = VirtualLoop()
        self.world = World(self.loop)
        self.checks = Invariants(self.world)
        self.operator = self.make()
        self.answered = ServingInvariant(self.world, self.checks, self.operator, self.form)
        self.wanted: dict[str, Any] = {}
        self.tokens = 0

    def make(self) -> Operator:
        raise NotImplementedError

    def let(self, seconds: float) -> None:
        self.operator.advance(seconds)
        EXPLORED[f"{self.form} states"] += 1

    # --- what always holds ------------------------------------------------------------------

    @invariant()
    def no_rule_is_broken(self) -> None:
        if self.form == "decisions":
            self.answered.look()
        assert not self.checks.violations, "; ".join(self.checks.violations[:3])

    # --- the end ----------------------------------------------------------------------------

    def calm(self) -> None:
        """No more faults are injected, and the operator runs."""
        self.operator.faults.clear()
        self.world.clock.skew = 0.0
        self.world.endpoints.lag, self.world.kubelet.grace = 0.0, 1.0
        self.world.gateways.answer, self.world.gateways.lag = TAKES, 0.05
        self.world.kubelet.behaviors.clear()
        for life in self.world.kubelet.lives.values():
            life.fault = None
        for node in self.world.kubelet.nodes:
            self.world.kubelet.restore(node)
        for pod in self.world.released_pods():
            key = (pod["metadata"]["namespace"], pod["metadata"]["name"])
            self.world.server.delete(resources.PODS, key, actor=PERSON)
        for command in COMMANDS:
            self.world.command(command, None)
        self.wanted |= {"steps": "two", "paused": False}
        if self.wanted["scaling"] == "zero":
            self.wanted["scaling"] = "three"
        # An autoscaler that may scale to zero has a reason to scale up.
        self.world.autoscalers.load = max(1, self.world.autoscalers.load)
        self.world.apply(specs.spec(**self.wanted))
        self.operator.start()
        self.world.nudge()
        self.let(30.0)
        self.world.command("resume", f"{self.target()}/calm")

    def teardown(self) -> None:
        try:
            if self.wanted:
                self.calm()
                self.let(CONVERGES_WITHIN)
                self.no_rule_is_broken()
                self.order_what_waits()
                self.arrived()
                self.rests()
                EXPLORED[f"{self.form} runs"] += 1
                EXPLORED[f"{self.form} decisions"] += self.operator.decisions
                EXPLORED[f"{self.form} writes"] += self.checks.writes
                EXPLORED[f"{self.form} virtual seconds"] += int(self.loop.time())
        finally:
            self.close()

    def order_what_waits(self) -> None:
        """Edits in mid-rollout leave pauses that nothing but an order ends (R12)."""
        hold = self.world.status().get("waitingFor") or {}
        if hold.get("reason") in ("Manual", "AnalysisRemoved"):
            self.world.command("promote-full", f"{self.target()}/calm")
            self.let(CONVERGES_WITHIN)
            self.no_rule_is_broken()

    def close(self) -> None:
        self.operator.kill()
        self.loop.close()

    def target(self) -> str:
        """The newest revision with the identity of the spec; without a record, its first name: a
        quarantined one whose record a user deleted is not stored again."""
        digest = digest_v1(identity_v1(self.world.model()["spec"]))
        same = (digest, short_name(digest))
        found = [r for r in self.world.server.all(resources.RECORDS) if digest_of_spec(r) in same]
        newest = max(found, key=lambda r: r["revision"], default=None)
        revision: str = (
            newest["metadata"]["labels"][labels.REVISION] if newest else short_name(digest)
        )
        return revision

    def arrived(self) -> None:
        """The model is where its spec leads."""
        status, target = self.world.status(), self.target()
        serving = self.world.selected_ready()
        summary = f"{status.get('phase')}: {status.get('message')}; serving {serving}"
        stable = (status.get("stable") or {}).get("revision")
        deployments = [
            d["metadata"]["labels"][labels.REVISION]
            for d in self.world.server.all(resources.DEPLOYMENTS, labels.MODEL)
        ]
        if target in self.checks.evidence():
            assert status["phase"] in ("RolledBack", "Failed"), summary
            # It took over before it failed, and there is no other version (R13).
            alone = stable == target and status["phase"] == "Failed"
            assert alone or target not in serving, summary
            if stable is None:
                return
        else:
            assert status["phase"] == "Ready", summary
            assert stable == target, summary
        assert deployments == [stable], f"{summary}; deployments {deployments}"
        assert set(serving) == {stable}, summary
        route_invariants.arrived(self.world, stable, self.wanted.get("router"))
        names = {p["metadata"]["name"] for p in self.world.pods(stable)}
        assert self.world.endpoint_names() == names, summary
        scaling = specs.SCALINGS[self.wanted["scaling"]]
        low, high = scaling.get("replicas"), scaling.get("replicas")
        if low is None or high is None:
            low, high = scaling["minReplicas"], scaling["maxReplicas"]
            lows = [a["spec"]["minReplicas"] for a in self._autoscalers()]
            assert lows == [low], f"{summary}; floors {lows}"
        else:
            assert not self._autoscalers(), summary
        assert low <= serving[stable] <= high, summary

    def _autoscalers(self) -> list[dict[str, Any]]:
        """Those that scale something or that the operator can observe.

        Without its label and without its Deployment, one can be neither found nor do harm; it is
        deleted with the model.
        """
        server = self.world.server
        return [
            autoscaler
            for autoscaler in server.all(resources.AUTOSCALERS)
            if labels.MODEL in autoscaler["metadata"].get("labels", {})
            or server.find(
                resources.DEPLOYMENTS,
                (
                    autoscaler["metadata"]["namespace"],
                    autoscaler["spec"]["scaleTargetRef"]["name"],
                ),
            )
        ]

    def rests(self) -> None:
        """At the fixpoint nothing is written, however long and however often it restarts."""
        writes, decisions = self.checks.writes, self.operator.decisions
        version = self.world.server.version
        self.let(RESTS_FOR)
        assert self.checks.writes == writes, f"writes without need: {self.world.status()}"
        assert self.operator.decisions - decisions <= RESTS_FOR / 10, "decides without need"
        self.operator.kill()
        self.operator.start()
        self.let(5.0)
        assert self.checks.writes == writes, "writes at a restart with nothing to do"
        assert self.world.server.version == version
