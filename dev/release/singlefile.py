"""The command line as one file for this platform, and the archive that krew and brew install.

`python -m release.singlefile [--scie] [--into dist]` builds the two wheels into a pex with the
locked libraries of `requirements/cli.txt`. Some of them are compiled, so that each platform builds
its own. A pex needs Python 3.11 or newer on the user's machine. With `--scie` the file carries an
interpreter (`pex --scie eager`), which pex downloads from GitHub.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import platform
import subprocess
import sys
import tarfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = "kubectl-modeldeploy"
#: What kubectl asks when it completes `kubectl modeldeploy`: the same file, with another start.
COMPLETION = "kubectl_complete-modeldeploy"
_COMPLETION = f"""\
#!/bin/sh
PEX_SCRIPT={COMPLETION} exec "$(dirname "$0")/{PROGRAM}" "$@"
"""
_ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


def target() -> str:
    """The platform in the words of krew, such as `linux-amd64`."""
    machine = platform.machine().lower()
    return f"{platform.system().lower()}-{_ARCHITECTURES.get(machine, machine)}"


def build(pex: list[str], wheels: list[Path], into: Path, *, scie: bool) -> Path:
    """Builds the single file with the program `pex` and returns its path.

    Raises subprocess.CalledProcessError if pex fails, as without a network.
    """
    program = into / f"{PROGRAM}-{target()}"
    lock = ROOT / "requirements" / "cli.txt"
    locked = into / "libraries"
    pip = [sys.executable, "-m", "pip", "download", "-q", "--only-binary=:all:"]
    subprocess.run([*pip, "--require-hashes", "-r", str(lock), "-d", str(locked)], check=True)
    command = [
        *pex,
        *map(str, wheels),
        *("--no-pypi", "--find-links", str(locked), "--find-links", str(into)),
        *("--script", PROGRAM, "--output-file", str(program), "--no-strip-pex-env"),
        # Unpacked at its first run: the next ones start as fast as an installed program.
        *("--venv", "prepend", "--venv-site-packages-copies"),
        # Without --sh-boot, Python would start twice, which takes longer than `--help`.
        *(
            ("--scie", "eager")
            if scie
            else ("--sh-boot", "--python-shebang", "/usr/bin/env python3")
        ),
    ]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": os.environ.get("SOURCE_DATE_EPOCH", "0")}
    subprocess.run(command, check=True, env=environment)
    return program


def archive(program: Path, into: Path) -> Path:
    """Packs the program, its completion and its licence, with the same bytes each time; returns
    the archive."""
    packed_file = into / f"{program.name}.tar.gz"
    body = io.BytesIO()
    with tarfile.open(fileobj=body, mode="w", format=tarfile.USTAR_FORMAT) as files:
        for name, content, mode in (
            (PROGRAM, program.read_bytes(), 0o755),
            (COMPLETION, _COMPLETION.encode(), 0o755),
            ("LICENSE", (ROOT / "LICENSE").read_bytes(), 0o644),
        ):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), mode
            files.addfile(entry, io.BytesIO(content))
    with packed_file.open("wb") as out, gzip.GzipFile("", "wb", fileobj=out, mtime=0) as packed:
        packed.write(body.getvalue())
    return packed_file


def checksum(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main(arguments: list[str]) -> int:
    """Builds the file and its archive from the wheels in `--into`; returns the exit code."""
    into = Path(arguments[arguments.index("--into") + 1] if "--into" in arguments else "dist")
    wheels = sorted(into.glob("canarium*.whl"))
    if len(wheels) != 2:
        print(f"{into} has {len(wheels)} wheels of Canarium, not 2: run `make dist` first")
        return 2
    pex = [sys.executable, "-m", "pex"]
    try:
        program = build(pex, wheels, into, scie="--scie" in arguments)
    except subprocess.CalledProcessError as error:
        print(f"pex failed with exit code {error.returncode}; it needs the package index")
        return 1
    packed = archive(program, into)
    print(f"{checksum(packed)}  {packed}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
