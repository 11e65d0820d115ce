"""All that may happen, as rules of a state machine; after each, no rule of the design is broken.

At its end each run becomes calm: what befell the cluster is over, and the model must arrive
where its spec leads, and then rest.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from canarium import GROUP
from canarium.core.revision import digest_v1, identity_v1
from canarium.kube import kinds
from canarium.kube.faults import ApiError
from canarium.render import labels
from simulation import specs
from simulation.clock import VirtualLoop
from simulation.kubelet import FAULTS, Temper
from simulation.operators import Operator
from simulation.server import PERSON
from simulation.witness import Witness
from simulation.world import KEY, World

SHORT = st.sampled_from((0.1, 0.5, 1.0, 2.0, 3.0, 5.0))
TIMES = st.sampled_from((0.5, 1.0, 3.0, 8.0, 12.0, 25.0, 70.0))
COMMANDS = ("promote", "promote-full", "abort", "retry", "undo", "pause", "resume")
#: Virtual seconds in which a model must be where its spec leads, once nothing befalls it.
CONVERGES_WITHIN = 600.0
RESTS_FOR = 300.0


class Adversary(RuleBasedStateMachine):
    """The rules that both forms of the operator share."""

    #: Over all runs: states looked at, decisions, writes.
    explored: ClassVar[Counter[str]] = Counter()
    form: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()
        self.loop = VirtualLoop()
        self.world = World(self.loop)
        self.witness = Witness(self.world)
        self.operator = self.make()
        self.wanted: dict[str, Any] = {}
        self.tokens = 0

    def make(self) -> Operator:
        raise NotImplementedError

    def let(self, seconds: float) -> None:
        self.operator.advance(seconds)
        self.explored[f"{self.form} states"] += 1

    # --- the user ---------------------------------------------------------------------------

    @initialize(
        scaling=st.sampled_from(sorted(specs.SCALINGS)),
        strategy=st.sampled_from(specs.STRATEGIES),
        steps=st.sampled_from(sorted(specs.STEPS)),
        head_start=st.booleans(),
    )
    def begin(self, scaling: str, strategy: str, steps: str, head_start: bool) -> None:
        self.wanted = {"scaling": scaling, "strategy": strategy, "steps": steps}
        self.world.apply(specs.spec(**self.wanted))
        self.operator.start()
        if head_start:
            self.let(12.0)
            self.wanted["version"] = "v2"
            self.world.apply(specs.spec(**self.wanted))
            self.let(5.0)

    @rule(seconds=TIMES)
    def time_passes(self, seconds: float) -> None:
        self.let(seconds)

    @rule(edit=specs.edits, after=SHORT)
    def user_edits_spec(self, edit: tuple[str, Any], after: float) -> None:
        self.wanted[edit[0]] = edit[1]
        self.world.apply(specs.spec(**self.wanted))
        self.let(after)

    @rule(
        command=st.sampled_from(COMMANDS),
        whom=st.sampled_from(("stable", "candidate", "target", "unknown", "garbage")),
        after=SHORT,
    )
    def user_commands(self, command: str, whom: str, after: float) -> None:
        status = self.world.status()
        revision = {
            "stable": (status.get("stable") or {}).get("revision"),
            "candidate": (status.get("candidate") or {}).get("revision"),
            "target": self.target(),
        }.get(whom) or "nosuch22"
        self.tokens += 1
        value = "what/is/this" if whom == "garbage" else f"{revision}/{self.tokens}"
        self.world.command(command, value)
        if command == "retry" and whom != "garbage":
            self.witness.latched.discard(revision)
        self.let(after)

    @rule(load=st.integers(1, 7), after=SHORT)
    def load_changes(self, load: int, after: float) -> None:
        self.world.autoscalers.load = load
        self.world.nudge()
        self.let(after)

    # --- what befalls pods and nodes --------------------------------------------------------

    @rule(
        version=st.sampled_from(specs.VERSIONS),
        fault=st.sampled_from((None, *FAULTS)),
        boot=st.sampled_from((0.5, 2.0, 15.0, 45.0)),
    )
    def version_behaves(self, version: str, fault: str | None, boot: float) -> None:
        self.world.kubelet.tempers[specs.image(version)] = Temper(boot, fault)
        self.world.nudge()

    @rule(which=st.integers(0, 9), fault=st.sampled_from((None, *FAULTS)), after=SHORT)
    def pod_is_struck(self, which: int, fault: str | None, after: float) -> None:
        pods = [p for p in self.world.pods() if p["metadata"]["uid"] in self.world.kubelet.lives]
        if pods:
            self.world.kubelet.strike(pods[which % len(pods)], fault)
            self.world.nudge()
        self.let(after)

    @rule(which=st.integers(0, 9), after=SHORT)
    def pod_is_evicted(self, which: int, after: float) -> None:
        pods = self.world.pods()
        if pods:
            self.world.kubelet.evict(pods[which % len(pods)])
        self.let(after)

    @rule(
        node=st.sampled_from(("n1", "n2", "n3")),
        event=st.sampled_from(("drain", "lose", "restore")),
        after=SHORT,
    )
    def node_event(self, node: str, event: str, after: float) -> None:
        getattr(self.world.kubelet, event)(node)
        self.world.nudge()
        self.let(after)

    @rule(lag=st.sampled_from((0.0, 0.5, 3.0, 10.0)), grace=st.sampled_from((0.5, 5.0, 30.0)))
    def cluster_slows_down(self, lag: float, grace: float) -> None:
        self.world.endpoints.lag, self.world.kubelet.grace = lag, grace
        self.world.nudge()

    # --- the operator's process -------------------------------------------------------------

    @precondition(lambda self: self.operator.running)
    @rule(after=SHORT)
    def operator_is_killed(self, after: float) -> None:
        self.operator.kill()
        self.let(after)

    @rule(after=SHORT)
    def operator_starts(self, after: float) -> None:
        self.operator.start()
        self.let(after)

    @precondition(lambda self: self.operator.running)
    @rule(write=st.integers(1, 6), after_effect=st.booleans(), within=TIMES)
    def operator_dies_at_a_write(self, write: int, after_effect: bool, within: float) -> None:
        self.operator.faults.die_in = write
        self.operator.faults.die_after_effect = after_effect
        self.let(within)
        self.operator.faults.die_in = None

    @rule(skew=st.sampled_from((-300.0, -30.0, -2.0, 0.0, 2.0, 30.0, 300.0)), after=SHORT)
    def clock_jumps(self, skew: float, after: float) -> None:
        self.world.clock.skew = skew
        self.let(after)

    # --- hands that meddle ------------------------------------------------------------------

    @rule(
        kind=st.sampled_from(
            (kinds.DEPLOYMENTS, kinds.SERVICES, kinds.AUTOSCALERS, kinds.RECORDS, kinds.PODS)
        ),
        which=st.integers(0, 9),
        after=SHORT,
    )
    def child_is_deleted(self, kind: Any, which: int, after: float) -> None:
        found = list(self.world.server.all(kind, labels.MODEL))
        if found:
            meta = found[which % len(found)]["metadata"]
            self.world.server.delete(kind, (meta["namespace"], meta["name"]), actor=PERSON)
            self.witness.forgive()
        self.let(after)

    @rule(which=st.integers(0, 3), what=st.sampled_from(("image", "replicas")), after=SHORT)
    def deployment_is_edited(self, which: int, what: str, after: float) -> None:
        found = list(self.world.server.all(kinds.DEPLOYMENTS, labels.MODEL))
        if found:
            obj = found[which % len(found)]
            key = (obj["metadata"]["namespace"], obj["metadata"]["name"])
            if what == "replicas":
                self.world.server.scale(key, obj["spec"]["replicas"] + 1, PERSON)
            else:
                template = obj["spec"]["template"]
                container = {**template["spec"]["containers"][0], "image": "model:by-hand"}
                spec = {"template": {"spec": {"containers": [container]}}}
                self.world.server.merge(kinds.DEPLOYMENTS, key, {"spec": spec}, PERSON)
        self.let(after)

    @rule(color=st.sampled_from(("blue", "green", "none", None)), after=SHORT)
    def service_is_edited(self, color: str | None, after: float) -> None:
        if self.world.service():
            patch = {"spec": {"selector": {labels.COLOR: color}}}
            self.world.server.merge(kinds.SERVICES, KEY, patch, PERSON)
        self.let(after)

    @rule(note=st.sampled_from((labels.STABLE, labels.CANDIDATE, labels.QUARANTINED)), after=SHORT)
    def service_note_is_removed(self, note: str, after: float) -> None:
        if self.world.service():
            patch = {"metadata": {"annotations": {note: None}}}
            self.world.server.merge(kinds.SERVICES, KEY, patch, PERSON)
            self.witness.forgive()
        self.let(after)

    @rule(which=st.integers(0, 9), note=st.sampled_from(("verdict", "promoted-at")), after=SHORT)
    def record_note_is_removed(self, which: int, note: str, after: float) -> None:
        found = list(self.world.server.all(kinds.RECORDS, labels.MODEL))
        if found:
            meta = found[which % len(found)]["metadata"]
            patch = {"metadata": {"annotations": {f"{GROUP}/{note}": None}}}
            key = (meta["namespace"], meta["name"])
            self.world.server.merge(kinds.RECORDS, key, patch, PERSON)
            self.witness.forgive()
        self.let(after)

    @rule(
        edit=st.sampled_from(
            (
                None,
                {"stable": None},
                {"candidate": None},
                {"progress": None},
                {"progress": {"step": 64, "weight": 100}},
                {"progress": {"step": 0, "weight": 50, "waited": 1e6}},
                {"bakeSince": None},
                {"bakeSince": "soon"},
                {"stableDownSince": "?"},
                {"bakeSince": "2001-01-01T00:00:00Z"},
                {"failure": None},
                {"history": []},
                {"phase": "Baking", "weight": 7},
            )
        ),
        after=SHORT,
    )
    def status_is_edited(self, edit: dict[str, Any] | None, after: float) -> None:
        model = self.world.model()
        status = None if edit is None else {**self.world.status(), **edit}
        body = {**model, "status": status and {k: v for k, v in status.items() if v is not None}}
        with suppress(ApiError):  # What the schema refuses is no matter to anybody.
            self.world.server.put_status(kinds.MODELS, KEY, body, PERSON)
        self.witness.forgive()
        self.let(after)

    # --- what always holds ------------------------------------------------------------------

    @invariant()
    def no_rule_is_broken(self) -> None:
        assert not self.witness.violations, "; ".join(self.witness.violations[:3])

    # --- the end ----------------------------------------------------------------------------

    def calm(self) -> None:
        """Nothing befalls the cluster any more, and the operator runs."""
        self.operator.faults.clear()
        self.world.clock.skew = 0.0
        self.world.endpoints.lag, self.world.kubelet.grace = 0.0, 1.0
        self.world.kubelet.tempers.clear()
        for life in self.world.kubelet.lives.values():
            life.fault = None
        for node in self.world.kubelet.nodes:
            self.world.kubelet.restore(node)
        for command in COMMANDS:
            self.world.command(command, None)
        self.wanted |= {"steps": "two", "paused": False}
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
                self.arrived()
                self.rests()
                self.explored[f"{self.form} runs"] += 1
                self.explored[f"{self.form} decisions"] += self.operator.decisions
                self.explored[f"{self.form} writes"] += self.witness.writes
                self.explored[f"{self.form} virtual seconds"] += int(self.loop.time())
        finally:
            self.close()

    def close(self) -> None:
        self.operator.kill()
        self.loop.close()

    def target(self) -> str | None:
        """The newest revision with the identity of the spec."""
        digest = digest_v1(identity_v1(self.world.model()["spec"]))
        found = [r for r in self.world.server.all(kinds.RECORDS) if r["data"]["digest"] == digest]
        newest = max(found, key=lambda r: r["revision"], default=None)
        return newest["metadata"]["labels"][labels.REVISION] if newest else None

    def arrived(self) -> None:
        """The model is where its spec leads."""
        status, target = self.world.status(), self.target()
        serving = self.world.selected_ready()
        told = f"{status.get('phase')}: {status.get('message')}; serving {serving}"
        stable = (status.get("stable") or {}).get("revision")
        deployments = [
            d["metadata"]["labels"][labels.REVISION]
            for d in self.world.server.all(kinds.DEPLOYMENTS, labels.MODEL)
        ]
        if target in self.witness.evidence():
            assert status["phase"] in ("RolledBack", "Failed"), told
            assert target not in serving, told
            if stable is None:
                return
        else:
            assert status["phase"] == "Ready", told
            assert stable == target, told
        assert deployments == [stable], f"{told}; deployments {deployments}"
        assert set(serving) == {stable}, told
        names = {p["metadata"]["name"] for p in self.world.pods(stable)}
        assert self.world.endpoint_names() == names, told
        scaling = specs.SCALINGS[self.wanted["scaling"]]
        low, high = scaling.get("replicas"), scaling.get("replicas")
        if low is None or high is None:
            low, high = scaling["minReplicas"], scaling["maxReplicas"]
            lows = [a["spec"]["minReplicas"] for a in self.world.server.all(kinds.AUTOSCALERS)]
            assert lows == [low], f"{told}; floors {lows}"
        else:
            assert not list(self.world.server.all(kinds.AUTOSCALERS)), told
        assert low <= serving[stable] <= high, told

    def rests(self) -> None:
        """At the fixpoint nothing is written, however long and however often it starts anew."""
        writes, decisions = self.witness.writes, self.operator.decisions
        version = self.world.server.version
        self.let(RESTS_FOR)
        assert self.witness.writes == writes, f"writes without need: {self.world.status()}"
        assert self.operator.decisions - decisions <= RESTS_FOR / 10, "decides without need"
        self.operator.kill()
        self.operator.start()
        self.let(5.0)
        assert self.witness.writes == writes, "writes at a restart with nothing to do"
        assert self.world.server.version == version
