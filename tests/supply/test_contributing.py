"""The contributor's path: targets are listed, hooks and CI run what `make check` runs."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
MAKEFILE = (ROOT / "Makefile").read_text()


def test_help_is_the_default_and_lists_every_target() -> None:
    done = subprocess.run(
        ["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    listed = {line.split()[0] for line in done.stdout.splitlines()}
    phony = re.search(r"(?m)^\.PHONY: (.+)$", MAKEFILE)
    assert phony
    assert set(phony[1].split()) <= listed


def test_no_module_is_longer_than_the_page_states() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text()
    match = re.search(r"have about 130 lines and at most (\d+), tests at most (\d+)", page)
    assert match
    code, tests = map(int, match.groups())
    listed = subprocess.run(
        ["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    paths = [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).exists()]
    lengths = {path.relative_to(ROOT): path.read_text().count("\n") for path in paths}
    longest = {path: tests if path.parts[0] in ("tests", "e2e") else code for path in lengths}
    assert {path: n for path, n in lengths.items() if n > longest[path]} == {}


def test_hooks_run_commands_of_make_check() -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    hooks = [hook for repo in config["repos"] for hook in repo["hooks"]]
    parts = re.findall(r"(?m)^check-\w+:\n((?:\t.+\n)+)", MAKEFILE)
    check = "".join(parts).replace("$(PY)", ".venv/bin/python")
    for hook in hooks:
        program = " ".join(hook["entry"].split()[: 3 if "python" in hook["entry"] else 2])
        assert program.replace(" --fix", "") in check.replace(" --check", ""), hook["id"]


def test_workflow_runs_the_script_of_ci() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yaml").read_text())
    commands = [
        step["run"] for job in workflow["jobs"].values() for step in job["steps"] if "run" in step
    ]
    assert any(".ci/run" in command for command in commands)
