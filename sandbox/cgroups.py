"""The control groups of a native sandbox: a separate root, removed with it."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

_MOUNTED = Path("/sys/fs/cgroup")


def hierarchies(root: Path = _MOUNTED) -> list[Path]:
    """Where control groups live: one tree (version 2), or one per controller (version 1)."""
    if (root / "cgroup.controllers").exists():
        return [root]
    return sorted(path for path in root.iterdir() if path.is_dir() and not path.is_symlink())


def make(name: str, root: Path = _MOUNTED) -> None:
    """Makes the group `name` in every hierarchy, unless it is there."""
    for tree in hierarchies(root):
        group = tree / name
        group.mkdir(exist_ok=True)
        for setting in ("cpuset.cpus", "cpuset.mems"):
            # Version 1 starts these empty, and then no process may enter.
            wanted = tree / setting
            if wanted.exists() and not (group / setting).read_text().strip():
                (group / setting).write_text(wanted.read_text())


def thaw(name: str, root: Path = _MOUNTED) -> None:
    """Lets the processes of the group `name` and all below it run, such as those of a container
    that was paused: in version 1 the kernel does not end them before."""
    for tree in hierarchies(root):
        for state in (tree / name).rglob("freezer.state"):
            # The kernel may remove an empty group between our two looks.
            with suppress(OSError):
                state.write_text("THAWED")


def remove(name: str, root: Path = _MOUNTED, patience: float = 5.0) -> list[Path]:
    """Removes the group `name` with all below it; what could not be removed in `patience` s."""
    until = time.monotonic() + patience
    while True:
        left = [tree / name for tree in hierarchies(root) if not _removed(tree / name)]
        if not left or time.monotonic() > until:
            return left
        # The kernel empties a group only some time after its last process was killed.
        time.sleep(0.02)


def _removed(group: Path) -> bool:
    for folder, _, _ in os.walk(group, topdown=False):
        try:
            os.rmdir(folder)
        except FileNotFoundError:
            continue
        except OSError:
            return False
    return True
