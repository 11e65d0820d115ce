"""Makes a release from a tag: builds all of its files into `dist`, signs, publishes, and tags.

`make release TAG=v1.2.3 REGISTRY=registry.example.org/ml` runs it. With `--dry-run` nothing leaves
this machine and no tag is created.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from release.preconditions import faults
from release.singlefile import PROGRAM, target
from release.steps import DIST, Release, Step, steps
from release.version import Unusable, of_tag

ROOT = Path(__file__).resolve().parents[2]
# Of the `make` that started this: its options are not those of the steps.
_INHERITED = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES")


def run(planned: Sequence[Step], root: Path, *, dry_run: bool) -> int:
    """Runs the steps and returns 0, or the exit code of the first one that failed.

    A dry run prints the steps that publish.
    """
    environment = {key: value for key, value in os.environ.items() if key not in _INHERITED}
    for step in planned:
        skipped = step.publishes and dry_run
        print(f"{'not in a dry run' if skipped else 'release'}: {step.title}", flush=True)
        print(f"    {shlex.join(step.command)}", flush=True)
        if skipped:
            continue
        code = subprocess.run(step.command, cwd=root, env=environment, check=False).returncode
        if code:
            print(
                f"Could not {step.title}: exit code {code}. No tag was created. Correct the cause"
                " and run the command again.",
                file=sys.stderr,
            )
            return code
    return 0


def requested(arguments: Sequence[str]) -> Release:
    """Returns what the arguments ask for. Raises Unusable."""
    parser = argparse.ArgumentParser(prog="python -m release.publish", description=__doc__)
    parser.add_argument("tag", help="tag to create, such as v1.2.3")
    parser.add_argument("--registry", default="", help="where images and chart are pushed")
    parser.add_argument("--dry-run", action="store_true", help="publish nothing, create no tag")
    parser.add_argument("--build", default="", help="options of docker build")
    parser.add_argument("--key", default="", help="SSH key that signs the checksums and the tag")
    parser.add_argument("--sign", default="", help="command that signs the file appended to it")
    parser.add_argument("--verify", default="", help="command that checks the signature")
    parser.add_argument("--archives", default="", help="folder of command lines built elsewhere")
    words = parser.parse_args(arguments)
    archives = sorted(Path(words.archives).glob(f"{PROGRAM}-*.tar.gz")) if words.archives else []
    if words.archives and not archives:
        raise Unusable(f"ARCHIVES={words.archives}: no {PROGRAM}-*.tar.gz there")
    return Release(
        version=of_tag(words.tag),
        registry=words.registry.rstrip("/") or None,
        dry_run=words.dry_run,
        build=words.build,
        key=Path(words.key).expanduser().absolute() if words.key else None,
        sign=words.sign,
        verify=words.verify,
        archives=tuple(path.absolute() for path in archives),
        platform=target(),
    )


def main(arguments: Sequence[str]) -> int:
    """Makes the release; returns the exit code."""
    try:
        release = requested(arguments)
    except Unusable as error:
        print(error, file=sys.stderr)
        return 2
    wrong = list(faults(release, ROOT))
    for fault in wrong:
        print(fault, file=sys.stderr)
    if wrong:
        return 2
    # What an earlier run left would be covered by the checksums.
    shutil.rmtree(ROOT / DIST, ignore_errors=True)
    (ROOT / DIST).mkdir()
    code = run(steps(release), ROOT, dry_run=release.dry_run)
    if code == 0 and not release.dry_run:
        print(f"push it: git push origin {release.tag}; then attach the files in {DIST}")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
