"""What an image can stand on: a small Debian with Python, or a single static binary."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from sandbox.images.archive import Image
from sandbox.images.layers import Entry, Layer, LayerFailed, cached, of_entries
from sandbox.progress import Progress

SUITE = "bookworm"
PYTHON = "3.11"
_PACKAGES = ("ca-certificates", "libgomp1", "libstdc++6", "python3")
_LEFT_OUT = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*")


def python_base(more: tuple[str, ...] = ()) -> Layer:
    """Debian bookworm with Python 3.11 and what compiled wheels link against; 20 s once.

    `more` are further Debian packages. Needs mmdebstrap. Raises LayerFailed.
    """
    return debian((*_PACKAGES, *more))


def debian(names: Sequence[str], variant: str = "essential") -> Layer:
    """Debian bookworm with the packages `names`; `variant` is one of mmdebstrap's.

    Needs mmdebstrap. Raises LayerFailed.
    """
    packages = tuple(sorted(set(names)))
    what = (SUITE, packages, _LEFT_OUT, *(() if variant == "essential" else (variant,)))
    key = hashlib.sha256(repr(what).encode()).hexdigest()[:16]

    def make(unfinished: Path) -> None:
        tool = shutil.which("mmdebstrap")
        if tool is None:
            raise LayerFailed("mmdebstrap is not installed (Debian: apt-get install mmdebstrap)")
        # Time zero in every entry, so that the layer depends on its packages alone.
        environment = {**os.environ, "SOURCE_DATE_EPOCH": "0"}
        excluded = [f"--dpkgopt=path-exclude={pattern}" for pattern in _LEFT_OUT]
        with Progress().step(f"making the base layer (Debian {SUITE}, once)", long=True):
            done = subprocess.run(
                [tool, f"--variant={variant}", f"--include={','.join(packages)}", *excluded,
                 "--format=tar", SUITE, str(unfinished)],
                capture_output=True, text=True, env=environment, check=False,
            )  # fmt: skip
        if done.returncode:
            raise LayerFailed(f"mmdebstrap: {done.stderr[-2000:]}")

    return cached(f"debian-{SUITE}-{key}", make)


def busybox() -> Layer:
    """busybox as /bin/busybox, a link for each of its commands, and /tmp. Raises LayerFailed."""
    binary = shutil.which("busybox")
    if binary is None:
        raise LayerFailed("busybox is not installed (Debian: apt-get install busybox-static)")
    names = subprocess.check_output([binary, "--list"], text=True).split()
    content = Path(binary).read_bytes()
    if b"ld-linux" in content[:4096]:
        raise LayerFailed("busybox is not static (Debian: apt-get install busybox-static)")
    return of_entries(
        [
            Entry("/bin/busybox", 0o755, content),
            *(Entry(f"/bin/{name}", 0o777, link="busybox") for name in names if name != "busybox"),
            Entry("/tmp", 0o1777),
            Entry("/etc/passwd", 0o644, b"root:x:0:0:root:/root:/bin/sh\n"),
        ]
    )


def pause(tag: str) -> Image:
    """The image of the process that holds a pod's namespaces."""
    return Image(tag, [busybox()], entrypoint=["/bin/busybox", "sleep", "2147483647"])
