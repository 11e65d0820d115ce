"""Where upgrades start from: the newest release tag, or the commit named in `baseline.commit`."""

from __future__ import annotations

import subprocess
import tarfile
from io import BytesIO
from pathlib import Path

from support.images import ROOT

_PINNED = Path(__file__).with_name("baseline.commit")
#: What an operator is built and installed from.
_SOURCES = ("operator", "charts", "crds", "requirements")


class NoBaseline(RuntimeError):
    """The sources of the previous release are missing; the text states what to do."""


def commit() -> str:
    """The tag or commit. Raises NoBaseline."""
    tagged = _git("describe", "--tags", "--abbrev=0", "--match", "v*", "HEAD^")
    if tagged.returncode == 0:
        return tagged.stdout.decode().strip()
    lines = _PINNED.read_text().splitlines()
    return next(line for line in lines if line and not line.startswith("#"))


def export(target: Path) -> Path:
    """Writes the operator, chart and CRDs of the baseline below `target`. Raises NoBaseline."""
    wanted = commit()
    packed = _git("archive", "--format=tar", wanted, *_SOURCES)
    if packed.returncode:
        shallow = _git("rev-parse", "--is-shallow-repository").stdout.strip() == b"true"
        advice = "the history is shallow: run `git fetch --unshallow`" if shallow else ""
        raise NoBaseline(f"{wanted}: {packed.stderr.decode().strip()} {advice}".strip())
    with tarfile.open(fileobj=BytesIO(packed.stdout)) as archive:
        archive.extractall(target, filter="data")
    return target


def _git(*words: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, check=False)
