"""`python -m mutations [FAULT…]`: a line per case.

Exits with 1 when no test detects a fault, and with 2 when an argument names none.

A word selects the fault of that name, and all faults with that label: `H2` is `H2 budget` and
`G2 H2 worker`.
"""

from __future__ import annotations

import os
import re
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
_BY = re.compile(r"^FAILED (\S+)", re.MULTILINE)


def main(wanted: list[str]) -> int:
    """Runs the cases of the faults `wanted`, or all; the exit code."""
    unnoticed, cases = [], load()
    unknown = set(wanted).difference(*({case.fault, *case.labels} for case in cases))
    if unknown:
        print(f"no fault or label is named {', '.join(map(repr, sorted(unknown)))}")
        return 2
    for case in cases:
        if wanted and not {case.fault, *case.labels} & set(wanted):
            continue
        code, by = undone(case)
        noticed = code in (_FAILED, None)
        what = f"caught   {by or 'by the time limit'}" if noticed else f"NOT CAUGHT ({code})"
        print(f"{case.fault:24} {what}", flush=True)
        if not noticed:
            unnoticed.append(case.fault)
    return 1 if unnoticed else 0


def undone(case: Case) -> tuple[int | None, str]:
    """Returns pytest's exit code for `case` on sources with its fault, and the test that failed;
    None past the limit."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copytree(
            ROOT,
            folder,
            dirs_exist_ok=True,
            ignore=shutil.ignore_patterns(".git", ".venv*", ".build", "dist", "__pycache__"),
        )
        path = folder / case.place().relative_to(ROOT)
        path.write_text(case.apply(path.read_text()))
        places = (folder / part for part in ("operator", "cli", ".", "e2e", "dev"))
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-rf", "-p", "no:cacheprovider"]
        try:
            done = subprocess.run(
                [*command, *case.tests],
                cwd=folder,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, places))},
                capture_output=True,
                text=True,
                timeout=_LIMIT,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return None, ""
        by = _BY.search(done.stdout)
        return done.returncode, by[1] if by else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
