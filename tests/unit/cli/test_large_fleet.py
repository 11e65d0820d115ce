"""Thousands of models: what is kept of them is small, and only what fits on the screen is made."""

from __future__ import annotations

import os
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from canarium_cli.exits import CliError
from canarium_cli.fleet_watch import FleetWatch
from canarium_cli.kubectl import Kubectl
from canarium_cli.reads import read_all
from canarium_cli.streaming import Watch
from canarium_cli.verbs.top import _Pressed
from cli.screen import Terminal
from cli.standin import Standin
from view.samples import sample

_COUNT = 1_000
#: Bytes that are kept of a model, with its message.
_LINE = 2_000


def fleet(count: int) -> list[dict[str, Any]]:
    """Models in progress, of which one that failed has the last name."""
    model: Any = next(x for x in sample("step-pause")[0] if x["kind"] == "ModelDeployment")
    failed: Any = next(x for x in sample("rolled-back")[0] if x["kind"] == "ModelDeployment")
    return [
        {**(failed if number == count - 1 else model), "metadata": _named(model, number)}
        for number in range(count)
    ]


def _named(model: dict[str, Any], number: int) -> dict[str, Any]:
    return {**model["metadata"], "name": f"m-{number:05}", "managedFields": [{"x": "y" * 1_000}]}


def test_memory_does_not_grow_with_what_a_line_does_not_show(
    kubectl: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECTL", str(kubectl.path))
    kubectl.lists(*fleet(_COUNT))
    whole = (kubectl.path.parent / "answer-1-1").stat().st_size
    assert whole > 3_500 * _COUNT
    tracemalloc.start()
    watch = FleetWatch(Kubectl(), None, everywhere=False)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(watch.ordered()) == _COUNT
    # Parsed as a whole, the list takes several times the bytes of its text.
    assert most < _LINE * _COUNT, f"{most} bytes for a list of {whole}"


def test_models_are_read_while_they_arrive(
    kubectl: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECTL", str(kubectl.path))
    kubectl.lists(*fleet(400))
    half = 400_000
    script = f"head -c {half} answer-1-1\nwhile [ ! -e go ]; do sleep 0.02; done\n"
    kubectl.serves("get", f"#!/bin/sh\n{script}exec tail -c +{half + 1} answer-1-1\n")
    reading = read_all(Kubectl(), None, everywhere=True)
    early = [next(reading) for _ in range(90)]
    # The rest is printed only now.
    (kubectl.path.parent / "go").touch()
    names = [one["metadata"]["name"] for one in (*early, *reading)]
    assert names == [f"m-{number:05}" for number in range(400)]


@pytest.fixture
def command(kubectl: Standin) -> dict[str, str]:
    """The environment in which kubectl has 500 models."""
    kubectl.lists(*fleet(500))
    # The watch that follows.
    script = "#!/bin/sh\ncase $2 in *watch=true*) exec sleep 60;; esac\nexec cat answer-1-1\n"
    kubectl.serves("get", script)
    return {**os.environ, "KUBECTL": str(kubectl.path)}


def program(*words: str) -> list[str]:
    return [sys.executable, "-m", "canarium_cli.main", *words]


def test_list_watch_shows_the_first_lines_that_fit_on_the_terminal(
    tmp_path: Path, command: dict[str, str]
) -> None:
    with Terminal(tmp_path, program("list", "-w", "-n", "default"), command, lines=12) as terminal:
        shown = terminal.until(lambda text: "more: see" in text)
        # The lines above are still there after it was drawn again.
        shown = terminal.until(lambda text: text.startswith("NAME"))
    head, *rows, more = shown.rstrip().splitlines()
    assert head.split()[:2] == ["NAME", "PHASE"]
    assert rows[0].split()[:2] == ["m-00499", "RolledBack"], "what needs attention is first"
    assert [row.split()[0] for row in rows[1:]] == [f"m-{n:05}" for n in range(len(rows) - 1)]
    assert more == f"{500 - len(rows)} more: see `list` without -w, or `top`."
    assert len(rows) >= 7


def test_lines_about_an_outage_leave_the_head_of_the_list_on_the_terminal(
    kubectl: Standin, tmp_path: Path, command: dict[str, str]
) -> None:
    words = f"Unable to connect to the server: {'no route to the proxy ' * 15}(end)"
    script = (
        f"#!/bin/sh\nmkdir asked 2>/dev/null && exec cat answer-1-1\necho '{words}' >&2\nexit 1\n"
    )
    kubectl.serves("get", script)
    with Terminal(tmp_path, program("list", "-w", "-n", "default"), command, lines=12) as terminal:
        shown = terminal.until(lambda text: "(end)" in text)
    head, *rows = shown.rstrip().splitlines()
    assert head.startswith("NAME")
    assert len(rows) <= 10
    (begin,) = [number for number, row in enumerate(rows) if row.startswith("Connection lost: ")]
    assert rows[begin - 1].endswith("more: see `list` without -w, or `top`.")
    assert len(rows[begin:]) > 2
    assert " ".join(rows[begin:]).endswith("(end). Check the network and the --context.")


def test_top_scrolls_through_all_models(tmp_path: Path, command: dict[str, str]) -> None:
    with Terminal(tmp_path, program("top", "-n", "default"), command, lines=12) as terminal:
        shown = terminal.until(lambda text: "of 500" in text)
        assert shown.splitlines()[0].startswith("500 models  1 need attention")
        assert shown.splitlines()[2].split()[:2] == ["m-00499", "RolledBack"]
        for _ in range(3):
            terminal.press("PageDown")
        terminal.until(lambda text: "25-32 of 500" in text and "m-00024" in text)
        terminal.press("a")
        terminal.until(lambda text: "only these are shown" in text and "m-00024" not in text)


def test_no_key_of_top_is_lost_among_several(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = os.pipe()
    with os.fdopen(ours) as stdin, os.fdopen(theirs, "wb", buffering=0) as terminal:
        monkeypatch.setattr("sys.stdin", stdin)
        terminal.write(b"\x1b[6~\x1b[6~a\x1b[B\x1bq")
        pressed = _Pressed()
        keys = [pressed(0) for _ in range(7)]
    assert keys == ["\x1b[6~", "\x1b[6~", "a", "\x1b[B", "\x1b", "q", ""]


def test_list_that_ends_in_the_middle_is_an_error_and_prints_nothing(kubectl: Standin) -> None:
    kubectl.lists(*fleet(50))
    answer = kubectl.path.parent / "answer-1-1"
    answer.write_text(answer.read_text()[:-500])
    done = kubectl.run("list")
    assert (done.code, done.out) == (5, "")
    assert "kubectl did not answer with JSON" in done.err


@pytest.mark.parametrize("answer", ["{deep}", '{"items": [{deep}]}', '{"items": [], "x": {deep}}'])
def test_list_that_is_nested_too_deeply_is_an_error(kubectl: Standin, answer: str) -> None:
    kubectl.prints(answer.replace("{deep}", "[" * 100_000 + "]" * 100_000))
    done = kubectl.run("list", "-n", "default")
    assert (done.code, done.out) == (5, "")
    assert "kubectl answered with JSON that is nested too deeply" in done.err


def test_event_that_is_nested_too_deeply_is_an_error() -> None:
    # The shell writes the brackets: they would be too long for a command line.
    script = "printf '{\"type\":'; printf '[%.0s' $(seq 100000); printf '}'"
    with pytest.raises(CliError, match="nested too deeply"):
        next(iter(Watch(["sh", "-c", script])))


def test_kubectl_that_never_ends_its_list_is_a_timeout(
    kubectl: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("canarium_cli.streaming._LIMIT", 0.3)
    kubectl.serves("get", "#!/bin/sh\necho 'waiting for a login' >&2\nexec sleep 30\n")
    done = kubectl.run("list")
    assert (done.code, done.out) == (5, "")
    assert "did not end within 0.3 s; it wrote: waiting for a login." in done.err


def test_list_is_ended_with_the_program(kubectl: Standin) -> None:
    kubectl.serves("get", "#!/bin/sh\necho $$ > pid\nexec sleep 300\n")
    process = kubectl.start("list")
    pid = kubectl.path.parent / "pid"
    for _ in range(200):
        if pid.exists() and pid.read_text().strip():
            break
        try:
            process.wait(0.05)
        except subprocess.TimeoutExpired:
            continue
    process.terminate()
    process.communicate(timeout=30)
    assert process.returncode == 143
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)
