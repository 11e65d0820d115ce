"""The scripts in the Lua of Argo CD itself, without a cluster."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox import binaries
from support.images import ROOT

#: The first one may build Argo CD.
pytestmark = pytest.mark.slow
CONFIG = ROOT / "argocd" / "argocd-cm.yaml"
KIND = ROOT / "argocd" / "resource_customizations" / "canarium.dev" / "ModelDeployment"
HEALTH = yaml.safe_load((KIND / "health_test.yaml").read_text())["tests"]
ACTIONS = yaml.safe_load((KIND / "actions" / "action_test.yaml").read_text())


def argocd(*words: str | Path) -> str:
    """What `argocd admin settings resource-overrides` prints."""
    command = [binaries.find("argocd"), "admin", "settings", "resource-overrides", *words]
    done = subprocess.run(
        [str(word) for word in (*command, "--argocd-cm-path", CONFIG)],
        env={**os.environ, "ARGOCD_BINARY_NAME": "argocd"},
        text=True,
        capture_output=True,
        check=True,
    )
    return done.stdout


@pytest.mark.parametrize("test", HEALTH, ids=lambda test: Path(test["inputPath"]).stem)
def test_health(test: dict[str, Any]) -> None:
    output = argocd("health", KIND / test["inputPath"])
    wanted = test["healthStatus"]
    if "deletionTimestamp" in yaml.safe_load((KIND / test["inputPath"]).read_text())["metadata"]:
        # Argo CD reports deletions by itself, before any script; older ones do not.
        assert output.startswith("STATUS: Progressing\nMESSAGE: Pending deletion")
    else:
        assert output == f"STATUS: {wanted['status']}\nMESSAGE: {wanted['message']}\n"


@pytest.mark.parametrize(
    "test", ACTIONS["discoveryTests"], ids=lambda test: Path(test["inputPath"]).stem
)
def test_discovery(test: dict[str, Any]) -> None:
    _, *lines = argocd("list-actions", KIND / "actions" / test["inputPath"]).splitlines()
    actions = dict(line.split() for line in lines)
    assert actions == {a["name"]: str(a["disabled"]).lower() for a in test["result"]}


@pytest.mark.parametrize(
    "test",
    [test for test in ACTIONS["actionTests"] if "expectedOutputPath" in test],
    ids=lambda test: test["action"],
)
def test_action(test: dict[str, Any]) -> None:
    wanted = yaml.safe_load((KIND / "actions" / test["expectedOutputPath"]).read_text())
    command = f"canarium.dev/{test['action']}"
    output = argocd("run-action", KIND / "actions" / test["inputPath"], test["action"])
    assert f"{command}: {wanted['metadata']['annotations'][command]}" in output
