"""A story in stages: each changes something, waits for the result, and records measurements."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from demo.view import Stage, View
from sandbox import Forward, Sandbox
from support.client import Client

NAME = "fraud"
Status = dict[str, Any]


class Story:
    """One model in the namespace of a demo, its client, and the stages so far."""

    def __init__(self, sandbox: Sandbox, view: View, namespace: str) -> None:
        self._sandbox, self._view, self._namespace = sandbox, view, namespace
        self._ways: list[Forward] = []
        self._client: Client | None = None
        self._shown = ""
        self.stages: list[Stage] = []
        self._kubectl("create", "namespace", namespace, cluster=True)

    def chapters(self) -> Sequence[Callable[[], None]]:
        """All stages, in order."""
        raise NotImplementedError

    def tell(self) -> None:
        """Runs the stages until an expectation fails, since later ones depend on it."""
        for chapter in self.chapters():
            chapter()
            if self.stages[-1].broken:
                return

    def report(self) -> None:
        """Prints what the table of stages does not show."""

    def end(self) -> None:
        """Ends the traffic."""
        if self._client:
            self._client.stop()
        for way in self._ways:
            way.close()

    # --- what a stage does ------------------------------------------------------------------

    @contextmanager
    def _stage(self, title: str, allowed: int = 0) -> Iterator[Stage]:
        """A stage in which at most `allowed` requests may fail."""
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
            self._expect(stage, stage.failed <= allowed, f"{stage.failed} requests failed")

    def _expect(self, stage: Stage, held: bool, otherwise: str) -> None:
        if not held:
            stage.broken.append(otherwise)

    def _only(self, stage: Stage, version: str, since: float | None = None) -> None:
        seen = set(self._answers.since(since or 0.0)) - {None}
        self._expect(stage, seen == {version}, f"answered by {sorted(map(str, seen))}")

    def _share(self, stage: Stage, weight: int, version: str, seconds: float = 8) -> float:
        """Percent of answers by `version` while `weight` is held."""
        self._until(lambda s: s.get("weight") == weight, f"weight {weight}", 120)
        time.sleep(2)
        began = time.monotonic()
        self._watch_for(seconds)
        seen = self._answers.since(began)
        share = 100 * seen[version] / max(1, seen.total())
        # Three standard deviations of a fair split, and a little for a busy machine.
        spread = 300 * (weight / 100 * (1 - weight / 100) / max(1, seen.total())) ** 0.5 + 2
        self._expect(stage, abs(share - weight) <= spread, f"weight {weight} gave {share:.0f} %")
        return share

    def _complete(self, stage: Stage, shares: list[float], version: str) -> float:
        """Waits until `version` is promoted, notes `shares` and its own, and returns since when it
        was measured."""
        self._until(lambda s: s["phase"] == "Ready" and s["version"] == version, f"{version} Ready")
        time.sleep(2)
        began = time.monotonic()
        time.sleep(2)
        seen = self._answers.since(began)
        shares.append(100 * seen[version] / max(1, seen.total()))
        stage.measured = " / ".join(f"{share:.0f}" for share in shares) + " %"
        return began

    def _ask_all_the_time(self, bodies: Sequence[bytes]) -> None:
        """Starts the client of the model, whose answers name the version."""
        address = self._kubectl("get", "service", NAME, "-o", "jsonpath={.spec.clusterIP}")
        way = self._forward(f"{address}:80")
        time.sleep(2)  # kube-proxy learns of the first endpoints a moment later.
        self._client = Client(
            f"{way.url}/v2/models/{NAME}/infer",
            rate=20,
            bodies=bodies,
            read=lambda body: json.loads(body)["model_version"],
        )

    # --- means ------------------------------------------------------------------------------

    @property
    def _answers(self) -> Client:
        assert self._client is not None
        return self._client

    def _forward(self, target: str) -> Forward:
        way = self._sandbox.forward(target)
        self._ways.append(way)
        return way

    def _status(self) -> Status:
        group = "/apis/canarium.dev/v1alpha1"
        path = f"{group}/namespaces/{self._namespace}/modeldeployments/{NAME}"
        model = self._sandbox.get(path)
        status: Status = model.get("status", {})
        fresh = status.get("observedGeneration") == model["metadata"]["generation"]
        return status if fresh else {"phase": "", "message": ""}

    def _until(self, holds: Callable[[Status], bool], what: str, seconds: float = 60) -> Status:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            status = self._status()
            if status["message"] and status["message"] != self._shown:
                self._shown = status["message"]
                self._view.say(f"  {self._shown}")
            self._draw(self._shown)
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
        path = f"/api/v1/namespaces/{self._namespace}/pods"
        selector = f"labelSelector=canarium.dev%2Frevision%3D{revision}"
        items: list[dict[str, Any]] = self._sandbox.get(f"{path}?{selector}")["items"]
        return items

    def _kubectl(self, *words: str, stdin: str | None = None, cluster: bool = False) -> str:
        scope = () if cluster else ("-n", self._namespace)
        return self._sandbox.kubectl(*scope, *words, stdin=stdin)
