"""Completion: the protocol that kubectl speaks, and click's scripts in real shells."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cli.screen import Terminal
from cli.standin import Standin
from sandbox import clients

NAMES = "modeldeployment.canarium.dev/fraud\nmodeldeployment.canarium.dev/churn\n"
#: How each shell is started without a user's configuration, and how it loads the script.
SHELLS = {
    "bash": (["--norc", "--noprofile"], "source <(kubectl-modeldeploy completion bash)"),
    "zsh": (
        ["-f"],
        "autoload -Uz compinit; compinit -u -D; source <(kubectl-modeldeploy completion zsh)",
    ),
    "fish": (["--no-config"], "kubectl-modeldeploy completion fish | source"),
}


@pytest.fixture
def programs(tmp_path: Path, kubectl: Standin) -> dict[str, str]:
    """An environment with the two programs and the stand-in for kubectl on its PATH."""
    kubectl.answers("get", "modeldeployments.canarium.dev", out=NAMES)
    kubectl.answers("--request-timeout=2s", "get", "modeldeployments.canarium.dev", out=NAMES)
    kubectl.answers("--request-timeout=2s", "get", "namespaces", out="namespace/risk\n")
    kubectl.answers("config", out="blue\ngreen\n")
    folder = tmp_path / "bin"
    folder.mkdir()
    modules = {
        "kubectl-modeldeploy": "canarium_cli.main",
        "kubectl_complete-modeldeploy": "canarium_cli.completing",
    }
    for name, module in modules.items():
        script = f"#!{sys.executable}\nfrom {module} import main\nmain()\n"
        (folder / name).write_text(script)
        (folder / name).chmod(0o755)
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    return {**kubectl.environment, "PATH": path, "HOME": str(tmp_path)}


def asked(programs: dict[str, str], *words: str) -> list[str]:
    """What kubectl's program for completion prints."""
    found = shutil.which("kubectl_complete-modeldeploy", path=programs["PATH"])
    assert found
    done = subprocess.run(
        [found, *words], env=programs, capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["ge"], "get\t"),
        (["get", ""], "fraud"),
        (["get", "fr"], "fraud"),
        (["promote", "fraud", ""], "churn"),
        (["list", "--se"], "--selector\t"),
        (["list", "-o", "js"], "json"),
        (["list", "--output=js"], "--output=json"),
        (["get", "--namespace", ""], "risk"),
        (["get", "--context", "b"], "blue"),
    ],
)
def test_kubectl_is_answered_in_its_protocol(
    programs: dict[str, str], words: list[str], expected: str
) -> None:
    *candidates, directive = asked(programs, *words)
    assert directive == ":4"
    assert any(line == expected or line.startswith(expected) for line in candidates), candidates
    assert "fraud" not in candidates or words[-1] in ("", "fr")


def test_name_that_was_typed_is_not_offered_again(programs: dict[str, str]) -> None:
    assert asked(programs, "promote", "fraud", "")[:-1] == ["churn"]


def test_cluster_that_is_away_gives_no_candidates_and_no_words(
    programs: dict[str, str], tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\necho 'Unable to connect' >&2\nexit 1\n")
    broken.chmod(0o755)
    assert asked({**programs, "KUBECTL": str(broken)}, "get", "") == [":4"]


@pytest.mark.slow
def test_slow_cluster_is_abandoned(programs: dict[str, str], tmp_path: Path) -> None:
    slow = tmp_path / "slow"
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    assert asked({**programs, "KUBECTL": str(slow)}, "get", "") == [":4"]


@pytest.mark.slow
@pytest.mark.parametrize("shell", SHELLS)
def test_shell_completes_verbs_names_and_options(
    programs: dict[str, str], shell: str, tmp_path: Path
) -> None:
    path = shutil.which(shell)
    if path is None:
        pytest.skip(f"{shell} is not installed")
    options, load = SHELLS[shell]
    with Terminal(tmp_path, [path, *options], programs) as terminal:
        terminal.press(f"{load}; echo loa''ded", "Enter")
        terminal.until(lambda shown: "\nloaded" in shown)
        for typed, expected in (
            ("und", "undo"),
            ("get fr", "get fraud"),
            ("get --kubec", "--kubeconfig"),
        ):
            terminal.press("C-u", f"kubectl-modeldeploy {typed}", "Tab")
            terminal.until(lambda shown, wanted=expected: wanted in shown)


@pytest.mark.slow
def test_kubectl_asks_the_program(programs: dict[str, str]) -> None:
    """The real kubectl, as its own completion of each shell calls it."""
    done = subprocess.run(
        [str(clients.find("kubectl")), "__complete", "modeldeploy", "get", "fr"],
        env=programs, capture_output=True, text=True, check=True, timeout=30,
    )  # fmt: skip
    assert done.stdout.splitlines() == ["fraud", ":4"], done.stderr
