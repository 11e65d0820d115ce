"""Who answers behind a route, by HTTP and by gRPC: real pods, and callers who ask all the time.

The stories run side by side, each with its model and caller.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from sandbox import Sandbox
from sandbox.gateway import EnvoyGateway, Gateway
from support.account import only_outage
from support.burst import Caller, Reply
from support.gateway_models import Stage, condition, host, routed
from support.grpc_client import Speaker, spoken
from support.models import Models

rule = pytest.mark.rule
pytestmark = pytest.mark.needs("gateway")
#: Requests per second of each caller, and so what may fail while endpoints follow a loss of pods.
RATE = 20
#: Number of a caller's last answers, long after the traffic has moved.
LAST = 5
MANUAL = {"steps": [{"weight": 50, "pause": "Manual"}]}
BAKE = {"steps": [], "bakeTime": "300s"}
SHORT = {"steps": [], "bakeTime": "1s"}


@dataclass
class Story:
    """One model behind a route, and its caller."""

    models: Models
    figures: Callable[..., None]
    name: str
    kind: str
    caller: Caller | Speaker

    def apply(self, tag: str, rollout: dict[str, Any], env: str = "") -> None:
        body = model(self.kind, self.name, tag, rollout)
        if env:
            body["runtime"]["env"] = [{"name": "STORY_TRIED", "value": env}]
        self.models.apply({self.name: body})

    def phase(self, phase: str, version: str) -> dict[str, Any]:
        return self.models.phase(self.name, phase, version, seconds=90).status

    def order(self, command: str, revision: str) -> None:
        self.models.order(self.name, command, revision, "now")

    def standby(self, serves: bool, seconds: float) -> None:
        """Waits until a standby serves, or none."""
        self.models.eventually(
            lambda: bool(self.models.now(self.name).get("standby")), serves, seconds
        )

    def answers(self, version: str) -> None:
        """Waits until `version` answers. A gateway applies weights a moment after they are
        written."""
        self.models.eventually(
            lambda: {reply.version for reply in self.caller.replies[-LAST:]}, {version}, 20
        )

    @contextmanager
    def counted(self, case: str, most: int = 0) -> Iterator[None]:
        """Reports the requests of a part; AssertionError when more than `most` of them failed."""
        sent, failed = len(self.caller.replies), len(self.caller.failed())
        yield
        sent, failed = len(self.caller.replies) - sent, len(self.caller.failed()) - failed
        self.figures("outages", case=case, router=self.kind, sent=sent, failed=failed)
        assert failed <= most, f"{case}: {failed} of {sent}: {self.caller.failed()[-failed:]}"


def model(kind: str, name: str, tag: str, rollout: dict[str, Any]) -> dict[str, Any]:
    if kind == "GRPCRoute":
        return spoken(tag, at=host(name), **rollout)
    body: dict[str, Any] = routed(name, tag, rollout=rollout)
    return body


def warm(story: Story) -> None:
    """The warm version serves while the new one has no Deployment, and after an undo."""
    story.apply("v2", BAKE)
    revision = story.phase("Baking", "v2")["stable"]["revision"]
    story.answers("v2")
    with story.counted("bake: Deployment deleted", RATE):
        story.models.kubectl("delete", "deployment", f"{story.name}-{revision}")
        story.standby(True, 20)
        story.standby(False, 60)
        story.answers("v2")
    with story.counted("undo"):
        story.order("undo", revision)
        story.phase("RolledBack", "v1")
        story.answers("v1")


def back(story: Story) -> None:
    """Stable serves through a rollback, and until the pods of an older version have returned."""
    story.apply("v2", {**SHORT, **MANUAL}, env="and aborted")
    candidate = story.models.effective(story.name, 50).status["candidate"]["revision"]
    with story.counted("rollback by abort"):
        story.order("abort", candidate)
        story.phase("RolledBack", "v1")
        story.answers("v1")
    story.apply("v2", SHORT)
    story.phase("Ready", "v2")
    with story.counted("return to an older version"):
        story.apply("v1", SHORT)
        story.phase("Ready", "v1")
        story.answers("v1")


def room(story: Story) -> None:
    """Strategy Recreate has one outage, and only between its two versions (R22)."""
    before = len(story.caller.replies)
    story.apply("v2", {"strategy": "Recreate"})
    story.phase("Ready", "v2")
    story.answers("v2")
    replies: list[Reply] = story.caller.replies[before:]
    failed = only_outage(replies, "v1", "v2")
    story.figures(
        "outages by strategy Recreate",
        case=f"v2 takes the place of v1, {story.kind}",
        sent=len(replies),
        failed=len(failed),
        seconds=f"{failed[-1].at - failed[0].at:.1f}" if failed else "0.0",
    )


STORIES = {"warm": warm, "back": back, "room": room}
KINDS = {"HTTPRoute": "", "GRPCRoute": "-grpc"}


@pytest.fixture
def stories(
    node: Sandbox, gateway: Callable[[], Gateway | EnvoyGateway], figures: Callable[..., None]
) -> Iterator[dict[str, Story]]:
    """Version 1 of each model is live and called."""
    models, callers = Models(node, "outages"), list[Caller | Speaker]()
    names = {f"{name}{suffix}": kind for kind, suffix in KINDS.items() for name in STORIES}
    try:
        models.apply({name: model(kind, name, "v1", SHORT) for name, kind in names.items()})
        stage = Stage(models, gateway())
        for name in names:
            models.until(name, is_routed, "accepted route", seconds=120)
        stories = {}
        for name, kind in names.items():
            caller = caller_of(stage, name, kind)
            callers.append(caller)
            stories[name] = Story(models, figures, name, kind, caller)
        yield stories
    finally:
        for caller in callers:
            caller.stop()
        models.end()


def is_routed(status: dict[str, Any]) -> bool:
    return status["phase"] == "Ready" and condition(status)[0] == "True"


def caller_of(stage: Stage, name: str, kind: str) -> Caller | Speaker:
    if kind == "HTTPRoute":
        stage.call(name, RATE)
        return stage.callers[name]
    speaker = Speaker("localhost", int(stage.url.rpartition(":")[2]), authority=host(name))
    stage.models.eventually(speaker.answers, True)
    speaker.keep_calling(RATE)
    return speaker


@rule("R8", "R11", "R13", "R15", "R22")
def test_version_behind_a_route_serves_through_outages_rollbacks_and_returns(  # B1
    stories: dict[str, Story],
) -> None:
    time.sleep(0.5)  # The callers have begun.
    with ThreadPoolExecutor(len(stories)) as pool:
        running = [
            pool.submit(STORIES[name.removesuffix("-grpc")], story)
            for name, story in stories.items()
        ]
        for one in running:
            one.result()
