"""Upgrade, rollback, uninstall, install again: nobody who serves or is being rolled out notices."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from sandbox import Mode, Options, Sandbox
from story.images import ROOT, operator_image, server_images
from upgrade.baseline import NoBaseline, export
from upgrade.fleet import PHASES, Fleet
from upgrade.release import Release

CHART = ROOT / "charts" / "canarium"
OLD, NEW = "before", "now"


@dataclass
class Scene:
    """A cluster with the operator of the release before, and models in every phase."""

    release: Release
    fleet: Fleet
    children: dict[str, Any] = field(default_factory=dict)
    pods: dict[str, tuple[str, int]] = field(default_factory=dict)
    told: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    since: int = 0

    def unmoved(self, change: str) -> None:
        """Nothing of any model differs from what it was before `change` of the operator."""
        assert self.fleet.pods() == self.pods, change
        assert self.fleet.children() == self.children, change
        assert self.fleet.told() == self.told, change
        written = self.fleet.writes(self.since)
        # A status may tell more, and follows the pods; everything else is left alone.
        assert set(written) <= {"update/modeldeployments/status"}, (change, written)
        self.since = self.fleet.moment()

    def remember(self) -> None:
        self.fleet.settle()
        self.children, self.pods = self.fleet.children(), self.fleet.pods()
        self.told = self.fleet.told()
        self.since = self.fleet.moment()


@pytest.fixture(scope="module")
def scene(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Scene]:
    mode = Mode(request.config.getoption("--cluster"))
    if mode is Mode.NATIVE and os.geteuid() != 0:
        if os.environ.get("CI"):
            pytest.fail("a real node needs root; in CI these tests must run")
        pytest.skip("a real node needs root")
    try:
        before = export(tmp_path_factory.mktemp("baseline"))
    except NoBaseline as missing:
        if os.environ.get("CI"):
            pytest.fail(str(missing))
        pytest.skip(str(missing))
    options = Options(name=f"upgrade-{os.getpid()}", mode=mode, owner=os.getpid())
    with Sandbox.up(options) as sandbox:
        images = [operator_image(before, OLD), operator_image(ROOT, NEW), *server_images()]
        sandbox.load(images)
        release, chart = Release(sandbox), before / "charts" / "canarium"
        release.upgrade(chart, OLD)
        fleet = Fleet(sandbox)
        fleet.start()
        scene = Scene(release, fleet)
        scene.remember()
        yield scene


def test_upgrade_and_rollback_touch_no_model(scene: Scene) -> None:
    assert {name: told[1] for name, told in scene.told.items()} == PHASES
    scene.release.upgrade(CHART, NEW)
    scene.unmoved("the upgrade")
    scene.release.rollback(1)
    scene.unmoved("the rollback")
    scene.release.upgrade(CHART, NEW)
    scene.unmoved("the second upgrade")
    assert scene.release.history() == ["superseded"] * 3 + ["deployed"]


def test_rollouts_in_flight_go_on_with_the_new_operator(scene: Scene) -> None:
    fleet = scene.fleet
    short = {"steps": [{"weight": 50, "pause": "1s"}], "bakeTime": "2s"}
    uids = {uid for uid, _ in fleet.pods().values()}
    fleet.patch("midstep", {"rollout": short})
    fleet.patch("paused", {"rollout": short, "paused": False})
    fleet.patch("baking", {"rollout": {"bakeTime": "1s"}})
    for name in ("midstep", "paused", "baking"):
        told = fleet.until(name, lambda s: s["phase"] == "Ready" and s["version"] == "v2", "v2")
        assert told["stable"]["revision"] == (scene.told[name][4] or scene.told[name][3])
    # Promotion and the end of baking load no model anew.
    assert {uid for uid, _ in fleet.pods().values()} <= uids
    assert fleet.told()["quarantined"] == scene.told["quarantined"]
    fleet.apply("quarantined", "v5")
    fleet.until("quarantined", lambda s: s["phase"] in ("Ready", "Baking"), "v5")


def test_uninstall_leaves_models_and_a_new_release_takes_them_up(scene: Scene) -> None:
    for name in ("midstep", "paused", "baking"):
        scene.fleet.until(name, lambda s: s["phase"] == "Ready", "Ready")
    scene.fleet.until("quarantined", lambda s: s["phase"] in ("Ready", "Baking"), "v5")
    scene.remember()
    scene.release.uninstall()
    scene.unmoved("the uninstall")
    scene.release.upgrade(CHART, NEW)
    scene.unmoved("the new release")
