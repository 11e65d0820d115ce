"""`python -m mutations [FAULT …]`: a line per case; exits with 1 when a fault goes unnoticed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from mutations.cases import ROOT, Case, load

#: A mutated loop may never end.
_LIMIT = 300.0
#: Of pytest: tests ran, and some failed.
_FAILED = 1


def main(wanted: list[str]) -> int:
    """Runs the cases of the faults `wanted`, or all; the exit code."""
    unnoticed = []
    for case in load():
        if wanted and case.fault not in wanted:
            continue
        code = undone(case)
        noticed = code in (_FAILED, None)
        print(f"{case.fault:14} {'caught' if noticed else f'NOT CAUGHT ({code})'}", flush=True)
        if not noticed:
            unnoticed.append(case.fault)
    return 1 if unnoticed else 0


def undone(case: Case) -> int | None:
    """Returns pytest's exit code for `case` on sources with its fault; None past the limit."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copytree(
            ROOT,
            folder,
            dirs_exist_ok=True,
            ignore=shutil.ignore_patterns(".git", ".venv*", ".build", "dist", "__pycache__"),
        )
        path = folder / case.file
        path.write_text(case.apply(path.read_text()))
        places = (folder / part for part in ("operator", ".", "e2e", "dev"))
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider"]
        try:
            done = subprocess.run(
                [*command, *case.tests],
                cwd=folder,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, places))},
                capture_output=True,
                timeout=_LIMIT,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return None
        return done.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
