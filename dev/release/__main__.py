"""`python -m release v1.2.3` updates version, changelog and generated files, to commit and tag.

`python -m release --check v1.2.3` writes nothing and exits 1 unless all places state the version.
"""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from release.version import Unusable, dated, of_tag, state, stated

ROOT = Path(__file__).resolve().parents[2]


def main(arguments: list[str]) -> int:
    """Prepares or checks a release and returns the exit code."""
    check = "--check" in arguments
    tags = [word for word in arguments if word != "--check"]
    if len(tags) != 1:
        print(__doc__)
        return 2
    try:
        version = of_tag(tags[0])
        if check:
            wrong = {n: versions for n, versions in stated(ROOT).items() if versions != {version}}
            for name, versions in wrong.items():
                print(f"{name} states {', '.join(sorted(versions)) or 'nothing'}, not {version}")
            return 1 if wrong else 0
        curated = dated(ROOT, version, datetime.now(UTC).date().isoformat())
        state(ROOT, version)
    except Unusable as error:
        print(error)
        return 2
    commands = [[sys.executable, "-m", "generators"]]
    if not curated:
        commands.insert(
            0, [sys.executable, "-m", "towncrier", "build", "--yes", "--version", version]
        )
    for command in commands:
        subprocess.run(command, cwd=ROOT, check=True)
    print(f"commit this, then: make release TAG=v{version} REGISTRY=registry.example.org/ml")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
