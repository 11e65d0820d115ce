"""Downloads files to disk: in ranges, a few ahead, resumed and retried.

Ranges are written in order, so the length of a file is its progress. Memory is bounded by `AHEAD`
ranges of `RANGE` bytes.
"""

from __future__ import annotations

import hashlib
import os
import random
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from canarium.fetch.digest import of_file
from canarium.fetch.errors import FetchError, classified
from canarium.fetch.progress import DownloadProgress
from canarium.fetch.source import Source, SourceFile

RANGE = 8 << 20
AHEAD = 4
_FIRST_WAIT, _LAST_WAIT = 0.5, 20.0
T = TypeVar("T")


@dataclass
class Patience:
    """How long a source may be away: `limit` seconds since it last answered."""

    limit: float
    say: Callable[[str], None]
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def call(self, ask: Callable[[], T], what: str) -> T:
        """Returns the result of `ask`, repeated while it fails temporarily. Raises FetchError."""
        began, wait = self.clock(), _FIRST_WAIT
        while True:
            try:
                return ask()
            except Exception as error:
                fault = classified(error, what)
                if not fault.passing:
                    raise fault from error
                if self.clock() - began + wait > self.limit:
                    text = f"{fault.text}; tried for {self.limit:g} s"
                    raise FetchError("SourceUnavailable", text) from error
                self.say(f"{fault.text}; again in {wait:.1f} s")
            self.sleep(wait * random.uniform(0.8, 1.2))
            wait = min(wait * 2, _LAST_WAIT)


def part_of(folder: Path, entry: SourceFile) -> Path:
    """Returns the temporary path of a file. The name contains the identity of its bytes, so that a
    part of other bytes is never resumed; bytes without identity belong to this process only.

    A part from before a restart of the node is not resumed either: its length may be on disk
    without its bytes, and syncing after each range would cost more.
    """
    ident = entry.sha256 or entry.ident or f"process {os.getpid()} {_NONCE}"
    key = hashlib.sha256(f"{entry.where}\0{entry.size}\0{ident}\0{_BOOT}".encode()).hexdigest()
    return folder / f"{key[:32]}.part"


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


_NONCE = os.urandom(8).hex()
_BOOT = _boot()


def downloaded(folder: Path, entry: SourceFile) -> int:
    """Bytes of a file that an earlier try has left."""
    path = part_of(folder, entry)
    size = path.stat().st_size if path.exists() else 0
    return size if entry.size is not None and size <= entry.size else 0


def download(
    source: Source,
    entries: list[SourceFile],
    folder: Path,
    patience: Patience,
    progress: DownloadProgress,
) -> None:
    """Brings every entry to its part in `folder`. Raises FetchError."""
    for entry in entries:
        progress.keep(downloaded(folder, entry))
    if source.ranges:
        _by_ranges(source, entries, folder, patience, progress)
    else:
        for entry in entries:
            _whole(source, entry, folder, patience, progress)
    for entry in entries:
        if entry.sha256 and of_file(part_of(folder, entry)) != entry.sha256:
            part_of(folder, entry).unlink()
            raise FetchError(
                "CorruptArtifact", f"{entry.path!r} has other bytes than its store declares"
            )


def _by_ranges(
    source: Source,
    entries: list[SourceFile],
    folder: Path,
    patience: Patience,
    progress: DownloadProgress,
) -> None:
    """Downloads all ranges of all files through one window, so that many small files are as
    fast."""

    def ask(entry: SourceFile, start: int, end: int) -> bytes:
        content = patience.call(lambda: source.read(entry, start, end), entry.path)
        if len(content) != end - start:
            text = f"{entry.path!r}: asked for {end - start} bytes, got {len(content)}"
            raise FetchError("SourceChanged", text)
        return content

    window: deque[tuple[SourceFile, Future[bytes]]] = deque()
    with ThreadPoolExecutor(AHEAD, thread_name_prefix="range") as pool:
        try:
            for entry, start, end in _ranges(entries, folder):
                while len(window) >= AHEAD:
                    _write(window, folder, progress)
                window.append((entry, pool.submit(ask, entry, start, end)))
            while window:
                _write(window, folder, progress)
        except BaseException:
            for _, future in window:
                future.cancel()
            raise


def _write(
    window: deque[tuple[SourceFile, Future[bytes]]], folder: Path, progress: DownloadProgress
) -> None:
    entry, future = window.popleft()
    content = future.result()
    with part_of(folder, entry).open("ab") as target:
        target.write(content)
    progress.add(len(content))


def _ranges(entries: list[SourceFile], folder: Path) -> Iterator[tuple[SourceFile, int, int]]:
    for entry in entries:
        path, size = part_of(folder, entry), entry.size
        if size is None:
            raise FetchError(
                "SourceUnavailable", f"the store does not report the size of {entry.path!r}"
            )
        start = downloaded(folder, entry)
        if start == 0:
            path.write_bytes(b"")
        for low in range(start, size, RANGE):
            yield entry, low, min(low + RANGE, size)


def _whole(
    source: Source, entry: SourceFile, folder: Path, patience: Patience, progress: DownloadProgress
) -> None:
    """Downloads a file from a source without ranges: every attempt starts from the beginning."""
    path = part_of(folder, entry)
    if entry.size is not None and entry.ident and path.exists():
        if path.stat().st_size == entry.size:
            return
        progress.done -= downloaded(folder, entry)
    written = 0

    def attempt() -> None:
        nonlocal written
        progress.done -= written
        written = 0
        with path.open("wb") as target:
            for block in source.stream(entry):
                target.write(block)
                written += len(block)
                progress.add(len(block))
        if entry.size is not None and written != entry.size:
            text = f"{entry.path!r} ended after {written} of {entry.size} bytes"
            raise ConnectionError(text)

    patience.call(attempt, entry.path)
