"""Processes are distinguished from others with the same pid, and ended by their pid only."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sandbox import process
from sandbox.parts import Part, PartFailed, of
from sandbox.process import NotStarted, Process

SLEEP = ["sleep", "60"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal,time\nsignal.signal(15,1)\nprint(1,flush=True)\ntime.sleep(60)",
]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    for part in of(tmp_path):
        part.kill()


def eventually(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 5
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_part_is_started_once_and_found_later(folder: Path) -> None:
    part = Part(folder, "etcd")
    part.start(SLEEP)
    first = part.process
    part.start(SLEEP)
    assert Part(folder, "etcd").process == first
    assert part.alive
    part.stop()
    assert not part.alive
    assert first is not None
    assert not Path(f"/proc/{first.pid}").exists()


def test_stranger_with_the_same_pid_is_left_alone(folder: Path) -> None:
    part = Part(folder, "etcd")
    part.start(SLEEP)
    real = part.process
    assert real is not None
    record = folder / "etcd.pid"
    kept = record.read_text()
    record.write_text(json.dumps({**json.loads(kept), "started": "1"}))
    assert not part.alive
    part.stop()
    part.kill()
    with pytest.raises(PartFailed, match="does not run"):
        part.pause()
    assert real.alive
    record.write_text(kept)


def test_part_that_ignores_the_signal_is_ended_by_force(folder: Path) -> None:
    part = Part(folder, "stubborn")
    part.start(STUBBORN)
    eventually(lambda: part.log.read_text() == "1\n")
    part.stop(patience=0.1)
    assert not part.alive


def test_frozen_part_can_be_stopped(folder: Path) -> None:
    part = Part(folder, "etcd")
    part.start(SLEEP)
    part.pause()
    began = time.monotonic()
    part.stop()
    assert time.monotonic() - began < 5
    assert not part.alive


def test_restart_runs_the_same_command_again(folder: Path) -> None:
    part = Part(folder, "etcd")
    part.start(SLEEP)
    first = part.process
    part.kill()
    part.restart()
    assert part.alive
    assert part.process != first
    with pytest.raises(PartFailed, match="never started"):
        Part(folder, "other").restart()


def test_child_of_a_wrapper_is_the_process_that_counts(folder: Path) -> None:
    part = Part(folder, "wrapped")
    part.start(SLEEP, entering=["sh", "-c", '"$@" & wait', "sh"])
    found = part.process
    assert found is not None
    # The child is a copy of the wrapper until it has become what is wanted.
    eventually(lambda: Path(f"/proc/{found.pid}/comm").read_text() == "sleep\n")


def test_wrapper_that_exits_at_once_is_an_error_with_its_cause(folder: Path) -> None:
    with pytest.raises(NotStarted, match="no way"):
        process.start(["sh", "-c", "echo no way"], folder / "log", forks=True)


def test_failure_ends_with_the_log(folder: Path) -> None:
    part = Part(folder, "etcd")
    part.start(["sh", "-c", "echo the reason"])
    eventually(lambda: not part.alive)
    assert str(part.failure("ended")).endswith("the reason\n")


def test_parts_are_listed_in_the_order_of_their_start(folder: Path) -> None:
    for name in ("b", "a", "c"):
        Part(folder, name).start(SLEEP)
    assert [part.name for part in of(folder)] == ["b", "a", "c"]
    assert of(folder / "none") == []


def test_truncated_record_is_ignored(folder: Path) -> None:
    (folder / "etcd.pid").write_text('{"pid": 1')
    assert Part(folder, "etcd").process is None
    assert not Part(folder, "etcd").alive


def test_no_signal_is_sent_to_a_process_that_ended() -> None:
    gone = Process(os.getpid(), "1")
    gone.signal(signal.SIGKILL)
    gone.stop()
    assert Process.of(os.getpid()).alive
    assert not Process(2**22 + 1, "").alive
