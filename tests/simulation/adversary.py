"""All that may happen, as rules of a state machine; after each, no rule of the design is broken."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from simulation import specs
from simulation.frame import COMMANDS, SHORT, TIMES
from simulation.kubelet import FAULTS, PodBehavior
from simulation.manual_edits import ManualEdits

#: What a policy may forbid, as verb and kind.
REFUSABLE = (
    "create deployments",
    "patch deployments",
    "patch deployments/scale",
    "delete deployments",
    "patch services",
    "create controllerrevisions",
    "patch controllerrevisions",
    "delete controllerrevisions",
    "patch horizontalpodautoscalers",
    "delete horizontalpodautoscalers",
    "patch httproutes",
    "delete httproutes",
)


class Adversary(ManualEdits):
    """The rules that both forms of the operator share."""

    # --- the user ---------------------------------------------------------------------------

    @initialize(
        scaling=st.sampled_from(sorted(specs.SCALINGS)),
        strategy=st.sampled_from(specs.STRATEGIES),
        steps=st.sampled_from(sorted(specs.STEPS)),
        underway=st.sampled_from((None, 5.0, 14.0, 45.0)),
        lag=st.sampled_from((0.0, 0.0, 3.0)),
        load=st.sampled_from((0, 2, 3, 5)),
    )
    def begin(
        self,
        scaling: str,
        strategy: str,
        steps: str,
        underway: float | None,
        lag: float,
        load: int,
    ) -> None:
        """A first version and, but for runs that begin from nothing, a second one so long on its
        way: in its smoke tests, at a weight, or baking."""
        self.wanted = {"scaling": scaling, "strategy": strategy, "steps": steps}
        self.world.endpoints.lag, self.world.autoscalers.load = lag, load
        self.world.apply(specs.spec(**self.wanted))
        self.operator.start()
        if underway:
            self.let(12.0)
            self.wanted["version"] = "v2"
            self.world.apply(specs.spec(**self.wanted))
            self.let(underway)

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
            self.checks.quarantined.discard(revision)
        self.let(after)

    @rule(load=st.integers(0, 7), after=SHORT)
    def load_changes(self, load: int, after: float) -> None:
        self.world.autoscalers.load = load
        self.world.nudge()
        self.let(after)

    # --- faults of pods and --- nodes --------------------------------------------------------

    @rule(
        version=st.sampled_from(specs.VERSIONS),
        fault=st.sampled_from((None, *FAULTS)),
        boot=st.sampled_from((0.5, 2.0, 15.0, 45.0)),
    )
    def version_behaves(self, version: str, fault: str | None, boot: float) -> None:
        self.world.kubelet.behaviors[specs.image(version)] = PodBehavior(boot, fault)
        self.world.nudge()

    @rule(which=st.integers(0, 9), fault=st.sampled_from((None, *FAULTS)), after=SHORT)
    def pod_is_struck(self, which: int, fault: str | None, after: float) -> None:
        pods = [p for p in self.world.pods() if p["metadata"]["uid"] in self.world.kubelet.lives]
        if pods:
            self.world.kubelet.strike(pods[which % len(pods)], fault)
            self.world.nudge()
        self.let(after)

    @rule(
        part=st.sampled_from(("stable", "candidate", "previous")),
        spared=st.sampled_from((0, 0, 1)),
        fault=st.sampled_from((None, *FAULTS)),
        after=SHORT,
    )
    def revision_is_struck(self, part: str, spared: int, fault: str | None, after: float) -> None:
        """All pods of a revision at once, or all but one: as by a dependency of all of them."""
        revision = (self.world.status().get(part) or {}).get("revision")
        for pod in self.world.pods(revision)[spared:] if revision else ():
            if pod["metadata"]["uid"] in self.world.kubelet.lives:
                self.world.kubelet.strike(pod, fault)
        self.world.nudge()
        self.let(after)

    @rule(which=st.integers(0, 9), stays=st.booleans(), after=SHORT)
    def pod_is_evicted(self, which: int, stays: bool, after: float) -> None:
        """By the eviction API, or by the kubelet, which leaves it behind as Failed."""
        pods, kubelet = self.world.pods(), self.world.kubelet
        if pods:
            (kubelet.fail if stays else kubelet.evict)(pods[which % len(pods)])
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

    @rule(rejected=st.sets(st.sampled_from(REFUSABLE), max_size=3), lasts=TIMES)
    def policy_rejects_writes(self, rejected: set[str], lasts: float) -> None:
        """Those of the operator; Kubernetes' own writes succeed."""
        self.operator.faults.forbidden = rejected
        self.let(lasts)

    @rule(node=st.sampled_from(("n1", "n2", "n3")), after=SHORT)
    def node_reboots(self, node: str, after: float) -> None:
        self.world.kubelet.reboot(node)
        self.world.nudge()
        self.let(after)

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
