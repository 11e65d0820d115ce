"""From parts to the model's folder: built beside it, and put in its place in one step."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from canarium.fetch.archives import ArchiveLimits, unpack
from canarium.fetch.download import part_of
from canarium.fetch.errors import FetchError
from canarium.fetch.progress import amount
from canarium.fetch.source import SourceFile

#: Percent of the node's disk that stays free: below that, the kubelet evicts its pods.
RESERVE = 10
_SPARE = 16 << 20
#: Bytes after which the free space is checked again.
_LOOK = 64 << 20


class Workspace:
    """The model's folder `target`, and a folder for the work beside it on the same disk.

    When that is the node's disk, `reserve` percent of it stay free. `of_node` is a file that the
    kubelet keeps there, such as the termination message.
    """

    def __init__(self, target: Path, reserve: int, of_node: Path | None) -> None:
        self.target, self._reserve, self._node = target, reserve, of_node
        self.work = target.with_name(f".{target.name}.fetch")
        self.parts = self.work / "parts"
        self._tree = self.work / "tree"
        self._done = self.work / "done.json"

    def prepare(self) -> None:
        """Makes the folders. Raises FetchError when they cannot be written."""
        try:
            self.parts.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FetchError(
                "NoSpace", f"{self.work} cannot be written: {error.strerror}"
            ) from error

    def forget(self, entries: list[SourceFile]) -> None:
        """Removes parts of earlier tries that are of no use for `entries`."""
        wanted = {part_of(self.parts, entry) for entry in entries}
        for part in self.parts.iterdir():
            if part not in wanted:
                part.unlink()

    def require(self, size: int) -> None:
        """Raises FetchError when `size` more bytes do not fit."""
        disk = os.statvfs(self.work)
        free, reserved = disk.f_bavail * disk.f_frsize, _SPARE
        beside = ""
        if self._reserve and self._shared():
            reserved += disk.f_blocks * disk.f_frsize * self._reserve // 100
            beside = f", of which {self._reserve} % of the node's disk are left to its other pods"
        if size + reserved > free:
            text = f"the model needs {amount(size)} more, and {amount(free)} are free{beside}"
            raise FetchError("NoSpace", text)

    def _shared(self) -> bool:
        if self._node is None or not self._node.exists():
            return False
        return self.work.stat().st_dev == self._node.stat().st_dev

    def watch(self) -> Callable[[int], None]:
        """Receives every block, because other processes write too. Raises FetchError."""
        written = 0

        def count(size: int) -> None:
            nonlocal written
            before, written = written, written + size
            if before // _LOOK != written // _LOOK:
                self.require(0)

        return count

    def build(
        self, entries: list[SourceFile], progress: Callable[[int], None], *, layered: bool
    ) -> None:
        """Moves every part to its path, archives unpacked, into a new tree. Raises FetchError."""
        shutil.rmtree(self._tree, ignore_errors=True)
        self._tree.mkdir()
        for entry in entries:
            part = part_of(self.parts, entry)
            path = self._tree / entry.path
            if entry.archive:
                unpack(
                    part,
                    entry.archive,
                    self._tree,
                    ArchiveLimits(),
                    progress,
                    room=self.require,
                    layered=layered,
                )
                part.unlink()
                continue
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                os.replace(part, path)
            except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
                text = f"{entry.path!r} is both a file and a folder there"
                raise FetchError("UnsafePath", text) from error
        self.forget([])

    @property
    def tree(self) -> Path:
        return self._tree

    def commit(self, note: dict[str, object]) -> None:
        """Puts the tree in the target's place, and notes what it is."""
        if self.target.exists():
            shutil.rmtree(self.target)
        os.replace(self._tree, self.target)
        self._done.write_text(json.dumps(note))

    def note(self) -> dict[str, object] | None:
        """Returns what an earlier run in this pod stored here, None if there is nothing."""
        try:
            note = json.loads(self._done.read_text())
        except (OSError, ValueError):
            return None
        return note if isinstance(note, dict) and self.target.is_dir() else None
