"""Edits, commands and losses of `pause_adversary`, in rollouts that have gates as well."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from canarium.core.facts.gate_answers import AnswerState
from canarium.kube import resources
from simulation import specs
from simulation.frame import SHORT
from simulation.gate_invariants import GateInvariant
from simulation.gate_jobs import MODES, PASSES
from simulation.gate_systems import LOST, GateSystems
from simulation.operators import Deciding, Operator
from simulation.pause_adversary import LISTS, Fed, PauseAdversary, Steps
from simulation.server import PERSON, Write
from simulation.world import KEY

NAMES = ("first", "weight", "whole", "end")
ANSWERS = (
    AnswerState.PASSED,
    AnswerState.PENDING,
    AnswerState.MISSING,
    AnswerState.REJECTED,
    LOST,
)


def _gate(name: str, before: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "before": before, "approval": {}, **more}


def _web(name: str, before: str, **more: Any) -> dict[str, Any]:
    url = {"url": f"https://risk.example/{name}", "interval": "2s"}
    return {"name": name, "before": before, "web": url, **more}


def _job(name: str, before: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "before": before, "job": {"image": "eval:1"}, **more}


#: What the list of gates is edited to: gates added, removed and moved, with timeouts and without.
GATES: tuple[list[dict[str, Any]], ...] = (
    [_gate("weight", "Weight", weight=50)],
    [_gate("first", "Traffic"), _gate("whole", "Promotion")],
    [_gate("first", "Traffic", timeout="5s"), _gate("weight", "Weight", weight=25)],
    [_gate("weight", "Weight", weight=10), _gate("whole", "Promotion", timeout="20s")],
    [_gate("weight", "Promotion")],
    [_gate("whole", "Promotion", timeout="10s", onError="RollBack"), _gate("end", "Finish")],
    [_gate("end", "Finish")],
    [_web("weight", "Weight", weight=50)],
    [_web("first", "Traffic"), _gate("whole", "Promotion")],
    [_web("first", "Traffic", timeout="5s"), _web("weight", "Weight", weight=25)],
    [_web("whole", "Promotion", timeout="10s", onError="RollBack"), _web("end", "Finish")],
    [_job("weight", "Weight", weight=50)],
    [],
)


def _shared(name: str, before: str, **more: Any) -> dict[str, Any]:
    """A gate whose Job is that of a ModelGate."""
    return {"name": name, "before": before, "job": {"modelGate": "shared"}, **more}


#: What the ModelGate is edited to; None: it is deleted.
MODEL_GATES: tuple[dict[str, Any] | None, ...] = ({"image": "a:1"}, {"image": "b:1"}, None)
JOBS: tuple[list[dict[str, Any]], ...] = (
    [_job("weight", "Weight", weight=50)],
    [_job("first", "Traffic"), _gate("whole", "Promotion")],
    [_job("first", "Traffic", timeout="5s"), _job("weight", "Weight", weight=25)],
    [_job("whole", "Promotion", timeout="10s", onError="RollBack"), _job("end", "Finish")],
    [_job("first", "Traffic"), _job("whole", "Promotion"), _job("end", "Finish")],
    [_shared("first", "Traffic"), _shared("weight", "Weight", weight=25)],
    [_shared("weight", "Weight", weight=50), _shared("end", "Finish")],
    [],
)


class Unwatched:
    """In place of the invariant of pauses, which `test_pauses` checks."""

    def __init__(self) -> None:
        self.passes: list[tuple[float, str]] = []

    def see(self, write: Write) -> None: ...

    def record_was_damaged(self) -> None: ...


class GateAdversary(PauseAdversary):
    """Runs whose second version is under way and has gates."""

    form = "gates"

    def make(self) -> Operator:
        self.fed = Fed()
        self.systems = GateSystems()
        operator = Deciding(
            self.loop,
            self.world,
            signals=self.fed,
            approvals_enforced=True,
            systems=self.systems,
        )
        self.checks.pauses = Unwatched()  # type: ignore[assignment]
        self.gates = GateInvariant(self.checks, self.systems, self.world.jobs)
        self.world.server.observers.append(self.gates.see)
        return operator

    @initialize(
        gates=st.sampled_from(GATES),
        steps=st.sampled_from(LISTS),
        router=st.sampled_from(specs.ROUTERS),
        scaling=st.sampled_from(("one", "three", "five")),
        underway=st.sampled_from((2.0, 4.0, 8.0, 14.0)),
    )
    def begin(  # type: ignore[override]
        self,
        gates: list[dict[str, Any]],
        steps: Steps | None,
        router: str,
        scaling: str,
        underway: float,
    ) -> None:
        self.wanted = {"scaling": scaling, "router": router}
        self.rollout = {"steps": steps, "strategy": "Canary"}
        self.apply()
        self.operator.start()
        self.let(12.0)
        self.wanted["version"] = "v2"
        self.rollout["gates"] = gates
        self.apply()
        self.let(underway)

    def apply(self) -> None:
        """Applies the spec without gates that the API server would refuse."""
        gates = self.rollout.get("gates") or []
        weights = [step["weight"] for step in self.rollout["steps"] or ()]
        if self.rollout["strategy"] == "Recreate":
            gates = []
        if self.rollout["strategy"] != "Canary":
            weights = []
        if self.rollout.get("bakeTime") == "0s":
            gates = [gate for gate in gates if gate["before"] != "Finish"]
        kept = [gate for gate in gates if gate.get("weight") in (None, *weights)]
        wanted = self.rollout
        self.rollout = {**wanted, "gates": kept or None}
        super().apply()
        self.rollout = wanted

    @rule(part=st.sampled_from(("steps", "strategy", "bakeTime")), n=st.integers(0, 12))
    def rollout_is_edited(self, part: str, n: int) -> None:
        """Edits what gates depend on; `pause_adversary` covers the analysis."""
        super().rollout_is_edited(part, n)

    @rule(gates=st.sampled_from(GATES), after=SHORT)
    def gates_are_edited(self, gates: list[dict[str, Any]], after: float) -> None:
        self.rollout["gates"] = gates
        self.apply()
        self.let(after)

    @rule(
        command=st.sampled_from(("approve", "approve", "approve", "reject")),
        name=st.sampled_from(NAMES),
        after=SHORT,
    )
    def person_decides(self, command: str, name: str, after: float) -> None:
        self.tokens += 1
        gates = self.world.status().get("gates") or ()
        waiting = [g["name"] for g in gates if g["state"] == "Waiting"]
        gate = waiting[0] if waiting and self.tokens % 3 else name
        self.world.command(command, f"{self.target()}/{gate}:{self.tokens}")
        self.let(after)

    @rule(answer=st.sampled_from(ANSWERS), latency=st.sampled_from((0.05, 2.0)), after=SHORT)
    def systems_answer(self, answer: str, latency: float, after: float) -> None:
        """What every system that is asked from now on answers."""
        self.systems.answer, self.systems.latency = answer, latency
        self.let(after)

    @rule(mode=st.sampled_from(MODES), seconds=st.sampled_from((0.5, 5.0)), after=SHORT)
    def jobs_end(self, mode: str, seconds: float, after: float) -> None:
        """How every Job of a gate that has not ended does so."""
        self.world.jobs.mode, self.world.jobs.seconds = mode, seconds
        self.world.nudge()
        self.let(after)

    @rule(after=SHORT)
    def jobs_are_deleted(self, after: float) -> None:
        self.world.jobs.lose()
        self.let(after)

    @rule(name=st.sampled_from(NAMES), after=SHORT)
    def job_is_run_again(self, name: str, after: float) -> None:
        self.rerun(name)
        self.let(after)

    def rerun(self, name: str) -> None:
        """A person orders the Job of the gate that waits, else of this one, to run again."""
        self.tokens += 1
        gates = self.world.status().get("gates") or ()
        waiting = [g["name"] for g in gates if g["state"] == "Waiting" and g["kind"] == "Job"]
        gate = waiting[0] if waiting else name
        self.world.command("rerun", f"{self.target()}/{gate}:{self.tokens}")

    @rule(refused=st.sampled_from(("create jobs", "patch services")), after=SHORT)
    def job_is_forbidden(self, refused: str, after: float) -> None:
        self.operator.faults.forbidden = {refused}
        self.let(after)
        self.operator.faults.forbidden.clear()

    def order_what_waits(self) -> None:
        """Gates that were removed from the spec while they waited still need a result: a decision,
        the system that the spec names again, or the end of a Job."""
        self.systems.answer, self.systems.latency = AnswerState.PASSED, 0.05
        self.world.jobs.mode, self.world.jobs.seconds = PASSES, 0.5
        self.world.nudge()
        self.let(60.0)
        for name in NAMES:
            waiting = {g["name"]: g for g in self.world.status().get("gates") or ()}
            gate = waiting.get(name)
            if gate is None or gate["state"] != "Waiting":
                continue
            if gate["kind"] == "Job":
                # It was lost too often, or has none: the gate and its ModelGate were removed.
                self.rerun(name)
                self.let(30.0)
                waits = {g["name"]: g["state"] for g in self.world.status().get("gates") or ()}
                if waits.get(name) == "Waiting":
                    self.world.command("abort", f"{self.target()}/{name}")
                    self.let(30.0)
            elif gate["kind"] == "Web":
                self.world.apply(_with(self.world.model()["spec"], _again(gate)))
                self.let(90.0)
            else:
                self.world.command("approve", f"{self.target()}/{name}:calm")
                self.let(30.0)
            self.no_rule_is_broken()
        self.let(600.0)
        super().order_what_waits()


class JobAdversary(GateAdversary):
    """The same with gates of kind `job` alone, whose Jobs end at once."""

    form = "job gates"

    @initialize(
        gates=st.sampled_from(JOBS[:-1]),
        router=st.sampled_from(specs.ROUTERS),
        mode=st.sampled_from(MODES),
        underway=st.sampled_from((2.0, 4.0, 8.0, 14.0)),
    )
    def begin(  # type: ignore[override]
        self, gates: list[dict[str, Any]], router: str, mode: str, underway: float
    ) -> None:
        self.world.jobs.mode = mode
        self.edit_model_gate(MODEL_GATES[0])
        super().begin(gates, LISTS[0], router, "one", underway)

    @rule(job=st.sampled_from(MODEL_GATES))
    def model_gate_is_edited(self, job: dict[str, Any] | None) -> None:
        self.edit_model_gate(job)
        self.let(0.1)

    def edit_model_gate(self, job: dict[str, Any] | None) -> None:
        key = (KEY[0], "shared")
        server, kind = self.world.server, resources.MODEL_GATES
        if server.find(kind, key):
            server.delete(kind, key, actor=PERSON)
        if job:
            body = {"metadata": {"namespace": key[0], "name": key[1]}, "spec": {"job": job}}
            server.create(kind, body, PERSON)

    def order_what_waits(self) -> None:
        self.edit_model_gate(MODEL_GATES[0])
        super().order_what_waits()

    @rule(gates=st.sampled_from(JOBS), after=SHORT)
    def gates_are_edited(self, gates: list[dict[str, Any]], after: float) -> None:
        self.rollout["gates"] = gates
        self.apply()
        self.let(after)


def _again(gate: dict[str, Any]) -> dict[str, Any]:
    """A web gate of the status, as the spec names it."""
    weight = {"weight": gate["weight"]} if "weight" in gate else {}
    return _web(gate["name"], gate["before"], **weight)


def _with(spec: dict[str, Any], gate: dict[str, Any]) -> dict[str, Any]:
    """The spec with this gate."""
    others = [one for one in spec["rollout"].get("gates") or () if one["name"] != gate["name"]]
    return {**spec, "rollout": {**spec["rollout"], "gates": [*others, gate]}}
