"""The story of `make demo`: good and bad versions of a model, one manifest after the other."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence

import yaml

from demo.story import Status, Story
from demo.view import Stage, View
from sandbox import Sandbox
from support.images import ROOT
from support.model import restarts

NAMESPACE = "demo"
MANIFEST = ROOT / "examples" / "fraud-demo.yaml"
REQUEST = json.dumps(
    {"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [[0.1, 0.2, 0.3, 0.4]]}]}
).encode()


class Versions(Story):
    """Versions 1 to 5: two good ones, one that cannot be loaded, one that crashes, a good one."""

    def __init__(self, sandbox: Sandbox, view: View) -> None:
        super().__init__(sandbox, view, NAMESPACE)

    def chapters(self) -> Sequence[Callable[[], None]]:
        return (
            self._first,
            self._good,
            self._unloadable,
            self._fragile,
            self._again,
            self._last,
        )

    def _first(self) -> None:
        with self._stage("v1 is promoted") as stage:
            self._apply("v1")
            self._until(lambda s: s["phase"] == "Ready", "v1 Ready", 120)
            self._ask_all_the_time([REQUEST])
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
            began = self._complete(stage, shares, "v2")
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
        # A server that dies under a request takes it along; nothing else may fail.
        with self._stage("v4 crashes under traffic", allowed=12) as stage:
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

    def _note_failure(self, stage: Stage, status: Status) -> None:
        self._view.say(f"  {status['failure']['reason']}: {status['failure']['message']}")
        self._expect(stage, status["version"] == "v2", "v2 does not serve")

    def _apply(self, version: str) -> None:
        body = yaml.safe_load(MANIFEST.read_text())
        body["spec"]["model"]["version"] = version
        body["spec"]["runtime"]["image"] = f"canarium.dev/fraud:{version}"
        self._kubectl("apply", "-f", "-", stdin=json.dumps(body))
