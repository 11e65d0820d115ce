"""The stages: an alias moves, and what follows is shown and checked on every page."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from typing import Any

import yaml

from demo.registry.mlflow import ALIAS, MODEL, Mlflow
from demo.registry.pages import CommandLine
from demo.story import NAME, Status, Story
from demo.view import Stage, View
from sandbox import Sandbox
from support.images import ROOT

NAMESPACE, CLUSTER = "demo-registry", "demo"
MANIFEST = ROOT / "examples" / "fraud-registry.yaml"
TAG = f"canarium.dev/{CLUSTER}.{NAMESPACE}.{NAME}"
#: Commits that the pipelines of versions 1 to 3 were started for.
COMMITS = {1: "4f1c2d9", 2: "9b3e7a1", 3: "c05ff1e"}
#: A transaction from each country; version 3 does not know country 4.
TRANSACTIONS = (
    [0.1, 0.2, 0.3, 0],
    [0.9, 0.9, 0.9, 1],
    [0.4, 0.5, 0.6, 2],
    [0.7, 0.1, 0.8, 3],
    [0.2, 0.6, 0.1, 4],
)
REQUESTS = [
    json.dumps(
        {"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": numbers}]}
    ).encode()
    for numbers in TRANSACTIONS
]
#: Requests that may fail until version 3 is rolled back.
TOLERATED = 30
#: Seconds.
INTERVAL = int(
    yaml.safe_load(MANIFEST.read_text())["spec"]["model"]["follow"]["interval"].removesuffix("s")
)


#: How long requests are counted while no alias moves, in seconds: two intervals and a little.
QUIET = 2.2 * INTERVAL


def polls(seconds: float) -> range:
    """How many requests a follower may send: intervals are up to a tenth longer or shorter, and a
    busy machine may delay the last request beyond the end."""
    fewest = max(0.0, seconds - INTERVAL) / (1.1 * INTERVAL)
    return range(int(fewest), int(seconds / (0.9 * INTERVAL)) + 2)


class Registry(Story):
    """Versions 1 and 2 are good. Version 3 passes its smoke test and fails for some requests."""

    def __init__(self, sandbox: Sandbox, view: View) -> None:
        super().__init__(sandbox, view, NAMESPACE)
        self._people = CommandLine(sandbox, NAMESPACE)
        self._registry: Mlflow | None = None
        self._applied = 0.0
        self._bad = ""
        self._measured: list[tuple[str, str]] = []
        #: Since when no alias has moved, and how often the operator had asked until then.
        self._quiet_since = (0.0, 0)

    def chapters(self) -> Sequence[Callable[[], None]]:
        return (self._first, self._second, self._third, self._quiet, self._agree)

    def end(self) -> None:
        super().end()
        if self._registry:
            self._registry.way.close()

    def report(self) -> None:
        if self._measured:
            self._view.table("Measured", ("What", "Value"), self._measured)

    # --- the stages -------------------------------------------------------------------------

    def _first(self) -> None:
        with self._stage("version 1: train, register, alias, apply") as stage:
            self._view.say("  starting MLflow")
            self._registry = Mlflow(self._sandbox, NAMESPACE)
            self._train(1)
            self._release(1)
            self._kubectl("apply", "-f", str(MANIFEST))
            self._applied = time.monotonic()
            self._mlflow.start_training(2, COMMITS[2])
            self._until(lambda s: s["phase"] == "Ready", "version 1 Ready", 180)
            self._ask_all_the_time(REQUESTS)
            self._mlflow.trained(2)
            time.sleep(3)
            self._only(stage, "1")

    def _second(self) -> None:
        with self._stage("version 2: alias → canary → promoted") as stage:
            moved = self._release(2)
            self._measure("alias → first candidate pod", self._first_pod(moved) - moved)
            shares = [self._share(stage, 33, "2", 6)]
            self._mlflow.start_training(3, COMMITS[3])
            shares.append(self._share(stage, 50, "2", 6))
            stage.wanted = "33 / 50 / 100 %"
            self._until(lambda s: s.get("version") == "2", "promotion of version 2")
            self._measure("alias → promotion", time.monotonic() - moved)
            began = self._complete(stage, shares, "2")
            self._only(stage, "2", since=began)

    def _third(self) -> None:
        title = "version 3: alias → canary → rolled back"
        with self._stage(title, allowed=TOLERATED) as stage:
            moved = self._release(3)
            status = self._until(lambda s: s["phase"] == "RolledBack", "rollback of version 3", 120)
            time.sleep(3)
            self._evidence(stage, status)
            answers = [a for a in list(self._answers.answers) if a.at >= moved]
            candidate = [a.at for a in answers if a.version in ("3", None)]
            failed = [a.at for a in answers if a.version is None]
            self._expect(stage, bool(failed), "version 3 never failed, so it proved nothing")
            if failed:
                stage.off = f"{candidate[-1] - failed[0]:.1f} s"
                self._measure("bad alias → first request to it", candidate[0] - moved)
                self._measure("bad alias → traffic off", candidate[-1] - moved)
                self._measure("its first failed request → traffic off", candidate[-1] - failed[0])
            self._only(stage, "2", since=time.monotonic() - 1)

    def _quiet(self) -> None:
        with self._stage("the alias still names version 3: not retried") as stage:
            before, requests = self._uids(), self._mlflow.requests()["alias"]
            self._ask_now()
            end = time.monotonic() + 20
            while self._mlflow.requests()["alias"] == requests and time.monotonic() < end:
                time.sleep(1)
            self._expect(stage, time.monotonic() < end, "the operator has not asked MLflow")
            time.sleep(5)
            self._quiet_since = (time.monotonic(), self._mlflow.requests()["alias"])
            status = self._status()
            named = self._mlflow.tracking.pointed(MODEL, ALIAS)
            self._view.say(f"  {ALIAS} names version {named}; phase {status['phase']}")
            self._expect(stage, named == "3", f"the alias names {named}")
            self._expect(stage, status["phase"] == "RolledBack", "the latch did not hold")
            self._expect(stage, self._uids() <= before, "there are new pods")
            self._only(stage, "2", since=time.monotonic() - 5)

    def _agree(self) -> None:
        with self._stage("MLflow, the record and the dashboard agree") as stage:
            # Its store has the models in memory.
            restarted = self._mlflow.restarted()
            self._expect(stage, not restarted, f"containers of MLflow restarted: {restarted}")
            self._tags(stage)
            self._lineage(stage)
            self._dashboard(stage)
            self._count_requests(stage)

    # --- parts of stages --------------------------------------------------------------------

    def _train(self, version: int) -> None:
        self._mlflow.start_training(version, COMMITS[version])
        self._mlflow.trained(version)

    def _release(self, version: int) -> float:
        """Moves the alias to a version, as the last step of its pipeline; the moment of that."""
        number = self._mlflow.trained(version)
        assert number == str(version), f"MLflow registered version {number}"
        self._mlflow.tracking.point(MODEL, ALIAS, number)
        moved = time.monotonic()
        self._view.say(f"  MLflow: registered version {number}, and {ALIAS} now names it")
        if self._applied:
            self._ask_now()
        return moved

    def _ask_now(self) -> None:
        """What a pipeline or webhook does; without it, the operator asks within the interval."""
        note = f"canarium.dev/resolve={time.time_ns()}"
        self._kubectl("annotate", "--overwrite", "modeldeployment", NAME, note)

    def _first_pod(self, moved: float) -> float:
        before, end = self._uids(), moved + 60
        while time.monotonic() < end:
            if self._uids() - before:
                return time.monotonic()
            time.sleep(0.1)
        raise AssertionError("no pod of the candidate in 60 s")

    def _uids(self) -> set[str]:
        """The pods of the model."""
        path = f"/api/v1/namespaces/{NAMESPACE}/pods"
        pods = self._sandbox.get(f"{path}?labelSelector=canarium.dev%2Fmodel%3D{NAME}")
        return {pod["metadata"]["uid"] for pod in pods["items"]}

    def _evidence(self, stage: Stage, status: Status) -> None:
        failure = status["failure"]
        self._bad = failure["revision"]
        fields = ("observed", "threshold", "samples", "weight", "step")
        facts = ", ".join(f"{name} {failure[name]}" for name in fields if name in failure)
        self._view.say(f"  {failure['reason']}: {failure['message']}")
        self._view.say(f"  evidence: {facts}")
        self._expect(stage, status["version"] == "2", "version 2 does not serve")
        self._expect(stage, failure["reason"] == "AnalysisFailed", failure["reason"])
        self._expect(stage, failure.get("samples", 0) >= 20, "it failed without evidence")

    def _tags(self, stage: Stage) -> None:
        """Waits until the registry shows what became of each version."""
        wanted = {"1": "Replaced", "2": "Promoted", "3": "RolledBack"}
        end, tags = time.monotonic() + 30, dict[str, dict[str, str]]()
        while time.monotonic() < end:
            tags = {version: self._mlflow.tracking.tags(MODEL, version) for version in wanted}
            if {version: has.get(TAG) for version, has in tags.items()} == wanted:
                break
            time.sleep(0.5)
        self._view.say(f"  MLflow's tags {TAG}:")
        for version, has in tags.items():
            state, reason = has.get(TAG, "–"), has.get(f"{TAG}/reason", "")
            self._view.say(f"    version {version}: {state} ({reason})")
            self._expect(stage, state == wanted[version], f"MLflow has version {version} {state}")
        self._expect(stage, "MLflow" in self._mlflow.title(), "MLflow's page does not open")
        stored = self._mlflow.stored()
        models = [name for name in stored if name.endswith("/MLmodel")]
        self._view.say(f"  S3 has {len(stored)} files of {len(models)} models, read through MLflow")
        self._expect(stage, len(models) == len(wanted), f"S3 has {len(models)} models")

    def _lineage(self, stage: Stage) -> None:
        for version, commit in COMMITS.items():
            run = self._record(str(version))["trainingRun"]
            data = ", ".join(f"{x['name']} ({x['digest']})" for x in run.get("datasets", ()))
            metrics = ", ".join(f"{k} {v:g}" for k, v in run.get("metrics", {}).items())
            inputs = len(run.get("signature", {}).get("inputs", ()))
            self._view.say(
                f"  record of version {version}: run {run['runId'][:8]}, "
                f"commit {run.get('gitCommit')}, data {data}, {metrics}, {inputs} inputs"
            )
            self._expect(stage, run.get("gitCommit") == commit, f"commit of version {version}")
            whole = bool(data and metrics and inputs)
            self._expect(stage, whole, f"the lineage of version {version} is not complete")

    def _record(self, version: str) -> dict[str, Any]:
        """The record of the revision of a version."""
        entries = self._people.json("history", NAME, "-o", "json")
        revision = next((e["revision"] for e in entries if e.get("version") == version), None)
        assert revision, f"the history has no version {version}"
        record: dict[str, Any] = self._people.json("record", NAME, "--revision", revision)[
            "predicate"
        ]
        return record

    def _dashboard(self, stage: Stage) -> None:
        with self._people.dashboard() as dashboard:
            model = dashboard.text(f"/models/{NAMESPACE}/{NAME}")
            failed = dashboard.text(f"/models/{NAMESPACE}/{NAME}/revisions/{self._bad}")
        for where, page, words in (
            ("model", model, ("RolledBack", "AnalysisFailed", "Version 2")),
            ("revision", failed, ("AnalysisFailed", COMMITS[3], "mlflow://fraud/3")),
        ):
            for word in words:
                self._expect(stage, word in page, f"the page of the {where} lacks {word!r}")
        self._view.say("  the dashboard shows the same; its address is below")

    def _count_requests(self, stage: Stage) -> None:
        """Notes how many requests the operator has sent to MLflow, in all and without a release."""
        began, before = self._quiet_since
        rest = max(0.0, began + QUIET - time.monotonic())
        self._view.say(f"  counting requests to MLflow while no alias moves: {rest:.0f} s more")
        time.sleep(rest)
        quiet, count = time.monotonic() - began, self._mlflow.requests()["alias"] - before
        self._expect(stage, count in polls(quiet), f"{count} requests in {quiet:.0f} s of quiet")
        seconds, requests = time.monotonic() - self._applied, self._mlflow.requests()
        purposes = ", ".join(f"{n} {what}" for what, n in sorted(requests.items()))
        self._measured += [
            ("requests sent / failed", f"{len(self._answers.answers)} / {self._answers.failed()}"),
            (
                f"requests of the operator to MLflow in {seconds:.0f} s with 3 releases",
                f"{requests.total()} ({purposes})",
            ),
            (
                f"of them for the alias in {quiet:.0f} s without a move, every {INTERVAL} s",
                str(count),
            ),
        ]

    def _measure(self, what: str, seconds: float) -> None:
        self._measured.append((what, f"{seconds:.1f} s"))

    @property
    def _mlflow(self) -> Mlflow:
        assert self._registry is not None
        return self._registry
