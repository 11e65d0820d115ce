"""The stages: each applies a version, waits for the expected state, and records measurements."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import yaml

from demo.view import Stage, View
from sandbox import Forward, Sandbox
from support.client import Client
from support.images import ROOT
from support.model import restarts

NAMESPACE, NAME = "demo", "fraud"
PATH = f"/apis/canarium.dev/v1alpha1/namespaces/{NAMESPACE}/modeldeployments/{NAME}"
REQUEST = json.dumps(
    {"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [[0.1, 0.2, 0.3, 0.4]]}]}
).encode()
Status = dict[str, Any]


class Story:
    """One model in the demo's namespace, its client, and the stages so far."""

    def __init__(self, sandbox: Sandbox, view: View) -> None:
        self._sandbox, self._view = sandbox, view
        self._way: Forward | None = None
        self._client: Client | None = None
        self.stages: list[Stage] = []
        self._kubectl("create", "namespace", NAMESPACE, cluster=True)

    def tell(self) -> None:
        """All stages, in order."""
        for chapter in (
            self._first,
            self._good,
            self._unloadable,
            self._fragile,
            self._again,
            self._last,
        ):
            chapter()
            if self.stages[-1].broken:
                # The next stages depend on the expectation that has just failed.
                return

    def end(self) -> None:
        if self._client:
            self._client.stop()
        if self._way:
            self._way.close()

    def _first(self) -> None:
        with self._stage("v1 is promoted") as stage:
            self._apply("v1")
            self._until(lambda s: s["phase"] == "Ready", "v1 Ready", 120)
            address = self._kubectl("get", "service", NAME, "-o", "jsonpath={.spec.clusterIP}")
            self._way = self._sandbox.forward(f"{address}:80")
            url = f"{self._way.url}/v2/models/{NAME}/infer"
            time.sleep(2)  # kube-proxy learns of the first endpoints a moment later.
            self._client = Client(
                url, rate=20, body=REQUEST, read=lambda body: json.loads(body)["model_version"]
            )
            time.sleep(3)
            self._only(stage, "v1")

    def _good(self) -> None:
        with self._stage("v2: 25 → 50 → 100") as stage:
            self._apply("v2")
            shares = [self._share(stage, weight, "v2") for weight in (25, 50)]
            stage.wanted = "25 / 50 / 100 %"
            revision = self._until(lambda s: s.get("weight") == 50, "weight 50")["candidate"][
                "revision"
            ]
            before = {p["metadata"]["uid"] for p in self._pods(revision)}
            self._until(lambda s: s["phase"] == "Ready" and s["version"] == "v2", "v2 Ready")
            time.sleep(2)
            began = time.monotonic()
            time.sleep(2)
            seen = self._answers.since(began)
            shares.append(100 * seen["v2"] / max(1, seen.total()))
            stage.measured = " / ".join(f"{share:.0f}" for share in shares) + " %"
            pods = self._pods(revision)
            self._expect(
                stage, before == {p["metadata"]["uid"] for p in pods}, "pods changed at promotion"
            )
            self._expect(stage, restarts(pods) == 0, "a promoted pod has restarted")
            self._only(stage, "v2", since=began)

    def _unloadable(self) -> None:
        with self._stage("v3 cannot be loaded") as stage:
            began = time.monotonic()
            self._apply("v3")
            status = self._until(lambda s: s["phase"] == "RolledBack", "rollback of v3", 120)
            self._note_failure(stage, status)
            self._expect(stage, "code 0" in status["failure"]["message"], "it exits with code 0")
            self._only(stage, "v2", since=began)

    def _fragile(self) -> None:
        with self._stage("v4 crashes under traffic") as stage:
            self._apply("v4")
            status = self._until(lambda s: s["phase"] == "RolledBack", "rollback of v4", 120)
            self._note_failure(stage, status)
            time.sleep(4)
            answers = list(self._answers.answers)
            mine = [a.at for a in answers if a.version == "v4"]
            self._expect(stage, bool(mine), "v4 never answered, so it proved nothing")
            if mine:
                crash = min(
                    (a.at for a in answers if a.version is None and a.at >= mine[0]),
                    default=mine[-1],
                )
                off = max(0.0, mine[-1] - crash)
                stage.off = f"{off:.1f} s"
                self._expect(stage, off < 5, "the candidate answered long after its crash")
            self._only(stage, "v2", since=time.monotonic() - 1)

    def _again(self) -> None:
        with self._stage("v4 applied again") as stage:
            began = time.monotonic()
            self._apply("v4")
            time.sleep(5)
            status = self._status()
            self._expect(stage, status["phase"] == "RolledBack", "the latch did not hold")
            self._only(stage, "v2", since=began)

    def _last(self) -> None:
        with self._stage("v5 is promoted") as stage:
            self._apply("v5")
            self._until(lambda s: s["phase"] == "Ready" and s["version"] == "v5", "v5 Ready", 150)
            time.sleep(2)
            self._only(stage, "v5", since=time.monotonic() - 1)

    # --- means ------------------------------------------------------------------------------

    @property
    def _answers(self) -> Client:
        assert self._client is not None
        return self._client

    @contextmanager
    def _stage(self, title: str) -> Iterator[Stage]:
        stage = Stage(title)
        self.stages.append(stage)
        self._view.say(title, style="bold")
        began = time.monotonic()
        try:
            yield stage
        except AssertionError as error:
            stage.broken.append(str(error))
        if self._client:
            seen = self._client.since(began)
            stage.sent, stage.failed = seen.total(), seen[None]
            # A server that dies under a request takes it along; nothing else may fail.
            allowed = 12 if "crashes" in title else 0
            self._expect(stage, stage.failed <= allowed, f"{stage.failed} requests failed")

    def _expect(self, stage: Stage, held: bool, otherwise: str) -> None:
        if not held:
            stage.broken.append(otherwise)

    def _only(self, stage: Stage, version: str, since: float | None = None) -> None:
        seen = set(self._answers.since(since or 0.0)) - {None}
        self._expect(stage, seen == {version}, f"answered by {sorted(map(str, seen))}")

    def _share(self, stage: Stage, weight: int, version: str) -> float:
        """Percent of answers by `version` while `weight` is held."""
        self._until(lambda s: s.get("weight") == weight, f"weight {weight}", 120)
        time.sleep(2)
        began = time.monotonic()
        self._watch_for(8)
        seen = self._answers.since(began)
        share = 100 * seen[version] / max(1, seen.total())
        # Three standard deviations of a fair split, and a little for a busy machine.
        spread = 300 * (weight / 100 * (1 - weight / 100) / max(1, seen.total())) ** 0.5 + 2
        self._expect(stage, abs(share - weight) <= spread, f"weight {weight} gave {share:.0f} %")
        return share

    def _note_failure(self, stage: Stage, status: Status) -> None:
        self._view.say(f"  {status['failure']['reason']}: {status['failure']['message']}")
        self._expect(stage, status["version"] == "v2", "v2 does not serve")

    def _apply(self, version: str) -> None:
        body = yaml.safe_load((ROOT / "examples" / "fraud-demo.yaml").read_text())
        body["spec"]["model"]["version"] = version
        body["spec"]["runtime"]["image"] = f"canarium.dev/fraud:{version}"
        self._kubectl("apply", "-f", "-", stdin=json.dumps(body))

    def _status(self) -> Status:
        model = self._sandbox.get(PATH)
        status: Status = model.get("status", {})
        fresh = status.get("observedGeneration") == model["metadata"]["generation"]
        return (
            status
            if fresh
            else {
                "phase": "",
                "message": "",
            }
        )

    def _until(self, holds: Callable[[Status], bool], what: str, seconds: float = 60) -> Status:
        end = time.monotonic() + seconds
        shown = ""
        while time.monotonic() < end:
            status = self._status()
            if status["message"] and status["message"] != shown:
                shown = status["message"]
                self._view.say(f"  {shown}")
            self._draw(shown)
            if holds(status):
                return status
            time.sleep(0.3)
        raise AssertionError(f"no {what} in {seconds:g} s")

    def _watch_for(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._draw("measuring the split")
            time.sleep(0.3)

    def _draw(self, message: str) -> None:
        if self._client:
            self._view.show(message, self._client.since(time.monotonic() - 3))

    def _pods(self, revision: str) -> list[dict[str, Any]]:
        text = self._kubectl("get", "pods", "-l", f"canarium.dev/revision={revision}", "-o", "json")
        items: list[dict[str, Any]] = json.loads(text)["items"]
        return items

    def _kubectl(self, *words: str, stdin: str | None = None, cluster: bool = False) -> str:
        scope = () if cluster else ("-n", NAMESPACE)
        return self._sandbox.kubectl(*scope, *words, stdin=stdin)
