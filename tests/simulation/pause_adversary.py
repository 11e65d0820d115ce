"""Edits every part of `rollout`, and loses status and record, at any moment of a rollout."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from canarium.core.decision.plan import SignalRequests
from canarium.core.evidence.verdict import Evidence, Finding, Verdict
from canarium.core.facts.observed import SmokeReport
from canarium.kube import resources
from canarium.kube.errors import ApiError
from canarium.render import labels
from simulation import specs
from simulation.frame import SHORT, TIMES, Frame
from simulation.operators import Deciding, Operator
from simulation.pause_invariants import WEIGHT_ANNOTATION
from simulation.server import PERSON
from simulation.world import KEY

Steps = list[dict[str, Any]]


def _steps(*pairs: tuple[int, str | None]) -> Steps:
    return [{"weight": w, **({"pause": p} if p else {})} for w, p in pairs]


#: What the list of steps is edited to: steps added, removed, in another order, with other pauses.
LISTS: tuple[Steps | None, ...] = (
    _steps((25, "1s"), (50, "Manual")),
    _steps((25, "1s"), (30, "1s"), (50, "Manual")),
    _steps((50, "Manual")),
    _steps((50, "Manual"), (75, "Manual")),
    _steps((25, "1s"), (40, "Manual")),
    _steps((25, "Manual")),
    _steps((10, "Manual"), (20, "2s"), (60, "2s")),
    _steps((10, "Manual"), (10, "1s"), (50, "Manual"), (90, "2s")),
    _steps((10, None), (90, "1s")),
    _steps((25, "10s"), (50, "10s")),
    _steps((100, "Manual")),
    [],
    None,
)
CHECKS = {"checks": [{"name": "errors", "metric": "ErrorRate", "max": "1%"}]}
ANALYSES: tuple[dict[str, Any] | None, ...] = (
    None,
    None,
    CHECKS,
    {**CHECKS, "onInsufficientData": "Promote"},
    {**CHECKS, "startWeight": 50},
)


#: What a policy may forbid, as verb and kind.
REFUSABLE = (
    "patch services",
    "patch httproutes",
    "patch deployments/scale",
    "create deployments",
    "delete deployments",
)


class Fed:
    """Signals in the simulation's hand: what is asked for, and the evidence that it makes."""

    def __init__(self) -> None:
        self.asked: dict[Any, SignalRequests] = {}
        self.evidence: dict[Any, Evidence] = {}

    def facts(self, key: Any) -> tuple[SmokeReport | None, Evidence | None]:
        return None, self.evidence.get(key)

    def want(self, key: Any, asked: SignalRequests, tests: object) -> None:
        self.asked[key] = asked

    def forget(self, key: Any) -> None:
        self.asked.pop(key, None)
        self.evidence.pop(key, None)

    async def close(self) -> None:
        """Keeps everything: the simulation itself ends it, not the operator."""


class PauseAdversary(Frame):
    """Runs whose second version is under way; nothing fails in them but what holds the record."""

    form = "pauses"

    def make(self) -> Operator:
        self.fed = Fed()
        self.deciding = Deciding(self.loop, self.world, signals=self.fed)
        return self.deciding

    @initialize(
        steps=st.sampled_from(LISTS),
        analysis=st.sampled_from(ANALYSES),
        router=st.sampled_from(specs.ROUTERS),
        scaling=st.sampled_from(("one", "three", "five")),
        underway=st.sampled_from((2.0, 4.0, 8.0, 14.0)),
    )
    def begin(
        self,
        steps: Steps | None,
        analysis: dict[str, Any] | None,
        router: str,
        scaling: str,
        underway: float,
    ) -> None:
        self.wanted = {"scaling": scaling, "router": router}
        self.rollout: dict[str, Any] = {"steps": steps, "analysis": analysis, "strategy": "Canary"}
        self.apply()
        self.operator.start()
        self.let(12.0)
        self.wanted["version"] = "v2"
        self.apply()
        self.let(underway)

    def apply(self) -> None:
        made = specs.spec(**self.wanted)
        kept = {k: v for k, v in self.rollout.items() if v is not None and v != "none"}
        if kept.get("strategy") != "Canary":
            kept.pop("steps", None)
        rollout = {**made["rollout"], **kept}
        if "steps" not in kept:
            rollout.pop("steps", None)
        self.world.apply({**made, "rollout": rollout})

    # --- edits ------------------------------------------------------------------------------

    @rule(part=st.sampled_from(("steps", "analysis", "strategy", "bakeTime")), n=st.integers(0, 12))
    def rollout_is_edited(self, part: str, n: int) -> None:
        choices: dict[str, tuple[Any, ...]] = {
            "steps": LISTS,
            "analysis": ANALYSES,
            "strategy": specs.STRATEGIES,
            "bakeTime": ("0s", "20s", "60s"),
        }
        self.rollout[part] = choices[part][n % len(choices[part])]
        self.apply()

    @rule(router=st.sampled_from(specs.ROUTERS))
    def router_is_edited(self, router: str) -> None:
        self.wanted["router"] = router
        self.apply()

    @rule(scaling=st.sampled_from(("zero", "one", "three", "five", "auto")), after=SHORT)
    def model_is_scaled(self, scaling: str, after: float) -> None:
        self.wanted["scaling"] = scaling
        self.apply()
        self.let(after)

    @rule(version=st.sampled_from(("v1", "v2", "v2", "v3")), after=SHORT)
    def version_is_edited(self, version: str, after: float) -> None:
        self.wanted["version"] = version
        self.apply()
        self.let(after)

    # --- faults of pods and --- writes -------------------------------------------------------

    @rule(
        part=st.sampled_from(("stable", "candidate", "previous")),
        fault=st.sampled_from((None, None, "never ready", "flaps")),
        after=SHORT,
    )
    def revision_is_struck(self, part: str, fault: str | None, after: float) -> None:
        revision = (self.world.status().get(part) or {}).get("revision")
        for pod in self.world.pods(revision) if revision else ():
            if pod["metadata"]["uid"] in self.world.kubelet.lives:
                self.world.kubelet.strike(pod, fault)
        self.world.nudge()
        self.let(after)

    @rule(back=st.sampled_from(("v2", "v2", "v3")), after=TIMES)
    def stable_is_replaced(self, back: str, after: float) -> None:
        """Stable stays down until what serves in its place takes over, and what the spec then wants
        is that version, or another one."""
        self.revision_is_struck("stable", "never ready", 12.0)
        self.version_is_edited("v3" if self.wanted["version"] == "v2" else "v2", 75.0)
        self.version_is_edited(back, after)

    @rule(which=st.integers(0, 9), after=SHORT)
    def pod_is_evicted(self, which: int, after: float) -> None:
        pods = self.world.pods()
        if pods:
            self.world.kubelet.evict(pods[which % len(pods)])
        self.let(after)

    @rule(load=st.integers(1, 7), after=SHORT)
    def load_changes(self, load: int, after: float) -> None:
        self.world.autoscalers.load = load
        self.world.nudge()
        self.let(after)

    @rule(rejected=st.sets(st.sampled_from(REFUSABLE), max_size=2), lasts=TIMES)
    def policy_rejects_writes(self, rejected: set[str], lasts: float) -> None:
        self.operator.faults.forbidden = rejected
        self.let(lasts)

    @rule(seconds=TIMES)
    def time_passes(self, seconds: float) -> None:
        self.let(seconds)

    @rule(seconds=SHORT)
    def moments_pass(self, seconds: float) -> None:
        self.let(seconds)

    # --- orders and evidence ----------------------------------------------------------------

    @rule(command=st.sampled_from(("promote", "promote", "promote-full", "pause", "resume")))
    def user_commands(self, command: str) -> None:
        self.tokens += 1
        self.world.command(command, f"{self.target()}/{self.tokens}")

    @rule(verdict=st.sampled_from((Verdict.PASS, Verdict.INSUFFICIENT, Verdict.INSUFFICIENT)))
    def checks_are_looked_at(self, verdict: Verdict) -> None:
        watch = self.fed.asked.get(KEY, SignalRequests()).analysis
        if watch is None:
            return
        self.fed.evidence[KEY] = self.evidence(watch.revision, watch.since, verdict)
        if verdict is Verdict.PASS:
            self.checks.pauses.passes.append((self.world.clock.now(), watch.revision))
        self.operator.look()

    def evidence(self, revision: str, since: float, verdict: Verdict) -> Evidence:
        finding = Finding("errors", verdict, "NotEnoughSamples", "few", 0.0, 0.01, None, 12)
        spent = verdict is Verdict.INSUFFICIENT
        checks, now = self.deciding.evaluated(revision), self.world.clock.now()
        return Evidence(revision, since, now, (finding,), None, spent, checks=checks)

    # --- what is lost -----------------------------------------------------------------------

    @rule(part=st.sampled_from((None, None, "progress", "candidate", "stable", "commands")))
    def status_is_lost(self, part: str | None) -> None:
        status = {} if part is None else {k: v for k, v in self.world.status().items() if k != part}
        with suppress(ApiError):
            model = {**self.world.model(), "status": status}
            self.world.server.put_status(resources.MODELS, KEY, model, PERSON)
        self.checks.forgive()

    @rule(note=st.sampled_from((labels.CANDIDATE, labels.STABLE, WEIGHT_ANNOTATION)))
    def record_is_edited(self, note: str) -> None:
        for kind in (resources.SERVICES, resources.HTTP_ROUTES):
            if self.world.server.find(kind, KEY):
                patch = {"metadata": {"annotations": {note: None}}}
                self.world.server.merge(kind, KEY, patch, PERSON)
        if note == WEIGHT_ANNOTATION:
            self.checks.pauses.record_was_damaged()
        self.checks.forgive()

    @precondition(lambda self: self.operator.running)
    @rule(after=SHORT)
    def operator_is_killed(self, after: float) -> None:
        self.operator.kill()
        self.fed.evidence.clear()
        self.let(after)

    @rule()
    def operator_starts(self) -> None:
        self.operator.start()

    @precondition(lambda self: self.operator.running)
    @rule(write=st.integers(1, 6), after_effect=st.booleans(), within=TIMES)
    def operator_dies_at_a_write(self, write: int, after_effect: bool, within: float) -> None:
        self.operator.faults.die_in = write
        self.operator.faults.die_after_effect = after_effect
        self.let(within)
        self.operator.faults.die_in = None
