"""Upgrade, rollback, uninstall, install again: neither serving models nor rollouts are affected."""

from __future__ import annotations

import os
import re
import shlex
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from sandbox import Sandbox
from support.baseline import NoBaseline, export
from support.clusters.start import Start
from support.docs import commands, documented
from support.images import ROOT, operator_image, server_images
from upgrade.fleet import PHASES, Fleet
from upgrade.release import Release

pytestmark = pytest.mark.needs("audit log")
CHART = ROOT / "charts" / "canarium"
OLD = "before"


@dataclass
class Scene:
    """A cluster with the operator of the release before, and models in every phase."""

    sandbox: Sandbox
    release: Release
    fleet: Fleet
    children: dict[str, Any] = field(default_factory=dict)
    pods: dict[str, tuple[str, int]] = field(default_factory=dict)
    summaries: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    since: int = 0

    def unmoved(self, change: str, most: int = 0) -> None:
        """Nothing of any model differs from what it was before `change` of the operator; a status
        was written `most` times, since another release reports more or less in it."""
        self.fleet.quiet()
        assert self.fleet.pods() == self.pods, change
        assert self.fleet.children() == self.children, change
        assert self.fleet.summaries() == self.summaries, change
        written = self.fleet.writes.since(self.since)
        status_writes = [w for w in written if w.startswith("update/modeldeployments/status/")]
        assert written == status_writes, change
        assert max(Counter(status_writes).values(), default=0) <= most, (change, status_writes)
        print(f"{change}: {len(status_writes)} writes of statuses, none of children")
        self.since = self.fleet.writes.moment()

    def remember(self) -> None:
        self.fleet.settle()
        self.fleet.quiet()
        self.children, self.pods = self.fleet.children(), self.fleet.pods()
        self.summaries = self.fleet.summaries()
        self.since = self.fleet.writes.moment()


@pytest.fixture(scope="module")
def scene(start: Start, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    try:
        before = export(tmp_path_factory.mktemp("baseline"))
    except NoBaseline as missing:
        if os.environ.get("CI"):
            pytest.fail(str(missing))
        pytest.skip(str(missing))
    with start("upgrade") as sandbox:
        sandbox.load([operator_image(before, OLD), operator_image(), *server_images()])
        release = Release(sandbox)
        release.begin(aged(before / "charts" / "canarium"))
        fleet = Fleet(sandbox)
        try:
            fleet.start()
            scene = Scene(sandbox, release, fleet)
            scene.remember()
            yield scene
        finally:
            fleet.end()


def aged(chart: Path) -> Path:
    """The chart for the image of its release: helm keeps values that a user has set."""
    path = chart / "Chart.yaml"
    path.write_text(re.sub(r"(?m)^appVersion: .*$", f"appVersion: {OLD}", path.read_text()))
    return chart


def test_upgrade_and_rollback_touch_no_model(scene: Scene) -> None:
    assert {name: summary[1] for name, summary in scene.summaries.items()} == PHASES
    scene.release.upgrade()
    scene.unmoved("the upgrade", most=1)
    scene.release.rollback()
    # The CRDs are downgraded first: some of what the newer operator writes until it ends is lost.
    scene.unmoved("the rollback", most=2)
    scene.release.upgrade()
    scene.unmoved("the second upgrade", most=1)
    scene.release.restart()
    scene.unmoved("a restart")
    assert scene.release.history() == ["superseded"] * 3 + ["deployed"]
    scene.release.change("commonLabels.team=ml", "commonAnnotations.cost=seven")
    scene.unmoved("other labels and annotations of the chart")


def test_rollouts_in_progress_continue_with_the_new_operator(scene: Scene) -> None:
    fleet = scene.fleet
    short = {"steps": [{"weight": 50, "pause": "1s"}], "bakeTime": "2s"}
    uids = {uid for uid, _ in fleet.pods().values()}
    fleet.patch("midstep", {"rollout": short})
    fleet.patch("paused", {"rollout": short, "paused": False})
    fleet.patch("baking", {"rollout": {"bakeTime": "1s"}})
    for name in ("midstep", "paused", "baking"):
        status = fleet.until(name, lambda s: s["phase"] == "Ready" and s["version"] == "v2", "v2")
        assert status["stable"]["revision"] == (
            scene.summaries[name][4] or scene.summaries[name][3]
        )
    # Neither the promotion nor the end of baking loads a model again.
    assert {uid for uid, _ in fleet.pods().values()} <= uids
    assert fleet.summaries()["quarantined"] == scene.summaries["quarantined"]
    fleet.apply("quarantined", "v5")
    fleet.until("quarantined", lambda s: s["phase"] in ("Ready", "Baking"), "v5")


def test_uninstall_keeps_models_and_a_new_release_manages_them(scene: Scene) -> None:
    for name in ("midstep", "paused", "baking"):
        scene.fleet.until(name, lambda s: s["phase"] == "Ready", "Ready")
    scene.fleet.until("quarantined", lambda s: s["phase"] in ("Ready", "Baking"), "v5")
    scene.remember()
    scene.release.uninstall()
    # Counts of pods that have just changed may be reported a little later.
    scene.unmoved("the uninstall", most=1)
    scene.sandbox.kubectl(*from_here(documented("docs/guides/upgrading.md", "kubectl apply")))
    scene.release.begin(CHART, "crds.install=false")
    scene.unmoved("the new release", most=1)


def test_models_are_deleted_with_the_crds(scene: Scene) -> None:
    scene.release.uninstall()
    for line in commands("docs/guides/upgrading.md"):
        if line.startswith("kubectl delete"):
            scene.sandbox.kubectl(*from_here(shlex.split(line)[1:]))
    assert "canarium.dev" not in scene.sandbox.kubectl("get", "crd", "-o", "name")
    scene.fleet.until_gone()


def from_here(words: list[str]) -> list[str]:
    """Words of a command with the paths of this checkout."""
    return [str(ROOT / word) if word == "crds/" else word for word in words]
