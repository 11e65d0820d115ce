"""examples/pipelines: the commands that all its files share, and how a test runs their steps."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from sandbox import paths

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "examples" / "pipelines"
_TOOLS = ("python ", "kubectl ")


def commands(text: str) -> list[str]:
    """The commands of the job in a text, in their order."""
    return [line.strip() for line in text.splitlines() if line.strip().startswith(_TOOLS)]


_SHELL = (FOLDER / "job.sh").read_text()
JOB = commands(_SHELL)
VARIABLES = dict(re.findall(r'(\w+)="\$\{\w+:-(\w+)\}"', _SHELL))


def executable(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def environment(name: str) -> Path:
    """The programs of an environment of the Makefile, which is made unless it is there."""
    with paths.locked(ROOT / f"{name}.lock"):
        subprocess.run(["make", "-s", f"{name}/.ready"], cwd=ROOT, check=True)
    return ROOT / name / "bin"


class Steps:
    """Runs what the containers of a pipeline run, with stand-ins for its programs.

    `python` prints the number of a version, 8, and kubectl ends with `code`. The paths of the
    container are folders of `folder`.
    """

    def __init__(self, folder: Path, code: int) -> None:
        self._folder, self._calls = folder, folder / "calls"
        (folder / "bin").mkdir()
        for tool, end in (("python", 0), ("kubectl", code)):
            text = f'#!/bin/sh\necho "$*" >> {self._calls}; echo 8; exit {end}\n'
            executable(folder / "bin" / tool, text)
        (folder / "work").mkdir()
        for name in ("train.py", "release.py"):
            (folder / "work" / name).touch()

    def run(self, words: Sequence[str], variables: Mapping[str, str]) -> int:
        """The exit code of a step, in a separate container."""
        shutil.rmtree(self._folder / "tmp", ignore_errors=True)
        (self._folder / "tmp").mkdir()
        inside = [
            re.sub(r"(?<![\w./])/(work|tmp|outputs|airflow)\b", rf"{self._folder}/\1", w)
            for w in words
        ]
        path = f"{self._folder}/bin:{os.environ['PATH']}"
        return subprocess.run(
            inside,
            env={**os.environ, **variables, "PATH": path},
            capture_output=True,
            timeout=60,
        ).returncode

    @property
    def calls(self) -> list[str]:
        """What was asked of python and kubectl."""
        return self._calls.read_text().splitlines()
