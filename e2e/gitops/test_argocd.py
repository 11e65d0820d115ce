"""GitOps for real: Argo CD syncs the operator and the models, and shows what is true."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from gitops.platform import MODELS, OPERATOR, Platform
from support.images import ROOT

rule = pytest.mark.rule
pytestmark = pytest.mark.needs("argocd")
MANUAL = {"steps": [{"weight": 50, "pause": "Manual"}], "bakeTime": "60s"}


def test_operator_is_synced_before_the_models(platform: Platform) -> None:
    samples = platform.watcher.of(OPERATOR)
    healthy = next(s.at for s in samples if s.health == "Healthy")
    assert platform.watcher.of(MODELS)[0].at > healthy - 1


def test_objects_of_helm_test_are_not_created(platform: Platform) -> None:
    kinds = "pods,serviceaccounts,roles,rolebindings,clusterroles,clusterrolebindings"
    label = "--selector=app.kubernetes.io/name=canarium-test"
    words = ("get", kinds, "--all-namespaces", label, "--output=name")
    assert platform.sandbox.kubectl(*words) == ""


@rule("R29")
def test_good_version_is_progressing_then_healthy(platform: Platform) -> None:
    line = platform.audited()
    began = platform.ship("v2")
    platform.status("v2", lambda s: s.get("version") == "v2" and s["phase"] == "Ready")
    platform.until("Healthy", time.monotonic())
    seen = platform.watcher.healths(MODELS, began)
    assert seen in (["Healthy", "Progressing", "Healthy"], ["Progressing", "Healthy"]), seen
    assert platform.applied(line) == 1


@rule("R9", "R29")
def test_bad_version_is_degraded_and_self_heal_does_not_loop(platform: Platform) -> None:
    shipped = platform.audited()
    began = platform.ship("v3")
    platform.until("Degraded", began)
    platform.status("RolledBack", lambda s: s["phase"] == "RolledBack")
    platform.await_comparisons(time.monotonic(), 1)
    settled, line = time.monotonic(), platform.audited()
    # Every comparison is an occasion for self-heal.
    platform.await_comparisons(settled, 4)
    assert platform.watcher.healths(MODELS, settled) == ["Degraded"]
    assert {s.sync for s in platform.watcher.of(MODELS, settled)} == {"Synced"}
    assert platform.watcher.syncs(MODELS, settled) == 0
    assert platform.writes(line) == []
    assert platform.applied(shipped) == 1


@rule("R16")
def test_actions_from_the_command_line(platform: Platform) -> None:
    line = platform.audited()
    began = platform.ship("v4", **MANUAL)
    platform.until("Suspended", began)
    assert platform.offered() == {"promote", "promote-full", "abort", "pause"}
    platform.act("pause")
    platform.status("pause", lambda s: s.get("pause"))
    assert platform.offered() == {"abort", "resume"}
    platform.act("resume")
    platform.status("no pause", lambda s: not s.get("pause"))
    platform.act("abort")
    failed = platform.status("RolledBack", lambda s: s["phase"] == "RolledBack")
    assert platform.offered() == {"retry"}
    platform.act("retry")
    again = platform.status(
        "the pause again", lambda s: (s.get("waitingFor") or {}).get("reason") == "Manual"
    )
    assert again["candidate"]["revision"] != failed["failure"]["revision"]
    platform.act("promote")
    platform.status("Baking", lambda s: s["phase"] == "Baking" and s["version"] == "v4")
    assert platform.offered() == {"pause", "undo"}
    undone = time.monotonic()
    platform.act("undo")
    platform.status("the undone", lambda s: s["phase"] == "RolledBack" and s["version"] == "v2")
    platform.until("Degraded", undone)
    platform.act("retry")
    platform.status("the pause", lambda s: (s.get("waitingFor") or {}).get("reason") == "Manual")
    platform.act("promote-full")
    done = platform.status("v4", lambda s: s["phase"] == "Baking" and s["version"] == "v4")
    answers = [(a["command"], a["result"]) for a in done["commands"]]
    given = ["promote-full", "retry", "undo", "promote", "retry", "abort", "resume", "pause"]
    assert answers == [(command, "Accepted") for command in given]
    # The commit once, and each action once.
    assert platform.applied(line) == 1 + len(given)


def test_chart_upgrade_by_a_commit_restarts_no_model(platform: Platform) -> None:
    # The bake of an earlier version must not end during the upgrade: that is written, and its
    # warm pods are deleted.
    shipped = platform.ship("v4", **{**MANUAL, "bakeTime": "1s"})
    platform.status("Ready", lambda s: s["phase"] == "Ready" and s["version"] == "v4")
    platform.until("Healthy", shipped)
    while len(platform.model_pods()) > 2:
        assert time.monotonic() - shipped < 90, "the old pods are still there"
        time.sleep(0.5)
    platform.await_comparisons(time.monotonic(), 1)
    before, line = platform.model_pods(), platform.audited()
    began = time.monotonic()
    platform.repository.chart("0.1.1", replicas=2)
    platform.argo.refresh("canarium")

    def upgraded() -> bool:
        release = platform.sandbox.kubectl(
            "-n", "canarium", "get", "deployment", "canarium", "-o",
            "jsonpath={.metadata.labels.helm\\.sh/chart} {.status.readyReplicas}",
        )  # fmt: skip
        return release == "canarium-0.1.1 2"

    while not upgraded():
        assert time.monotonic() - began < 90, "no upgrade"
        time.sleep(0.5)
    platform.watcher.until(
        OPERATOR, lambda s: s.health == "Healthy" and s.sync == "Synced", "Healthy", began + 1
    )
    platform.await_comparisons(time.monotonic(), 2)
    assert platform.model_pods() == before
    # The new operator finds nothing to do, and Argo CD has no reason to touch the model.
    assert [w for w in platform.writes(line) if w[0] != "argocd"] == []
    assert platform.applied(line) == 0
    assert platform.watcher.healths(MODELS, began) == ["Healthy"]


def test_documented_permissions_distinguish_actions(platform: Platform, tmp_path: Path) -> None:
    text = (ROOT / "docs" / "guides" / "argocd.md").read_text()
    policy = tmp_path / "policy.csv"
    policy.write_text("\n".join(line for line in text.splitlines() if line.startswith("p, ")))

    def may(role: str, action: str) -> bool:
        what = f"action/canarium.dev/ModelDeployment/{action}"
        question = ("rbac", "can", f"role:{role}", what, "applications", "ml/models")
        return platform.argo.may(*question, "--policy-file", str(policy))

    assert may("model-owner", "promote")
    assert may("model-owner", "abort")
    assert not may("model-owner", "undo")
    assert may("on-call", "undo")


def test_nothing_ever_drifted_from_what_was_synced(platform: Platform) -> None:
    assert platform.watcher.drifted() == []
    assert len(platform.watcher.of(MODELS)) > 100
