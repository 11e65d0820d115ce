"""Output that cannot be written, and tables on narrow terminals."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Sequence

import pytest

from canarium_cli.output.lines import plain, table
from cli.standin import Ended, Standin
from cli.test_logs import cluster

#: Runs the program once for each list of words, with stdout as it is named: "full", "pipe" (whose
#: reader has ended) or "closed". Modules are imported once, since that takes the most time.
_RUNS = """
import json, os, sys
from canarium_cli.main import cli, main
for verb in {words[0] for words in json.loads(sys.argv[2])}:
    cli.get_command(None, verb)
for words in json.loads(sys.argv[2]):
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.dup2(write, 2)
        if sys.argv[1] == "full":
            os.dup2(os.open("/dev/full", os.O_WRONLY), 1)
        elif sys.argv[1] == "pipe":
            reader, out = os.pipe()
            os.close(reader)
            os.dup2(out, 1)
        else:
            sys.stdout = None
            os.close(1)
        main(words)
    os.close(write)
    err = b""
    while part := os.read(read, 65536):
        err += part
    os.close(read)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print(json.dumps([code, err.decode()]), flush=True)
"""
_FULL = (
    "Error: Cannot write the output: No space left on device. Write it elsewhere; a change that "
    "was sent already stays in effect."
)
#: Commands that print something, each in another way.
_COMMANDS = [
    *([verb, "--help"] for verb in ("get", "promote", "completion")),
    ["get", "fraud"],
    ["get", "fraud", "-o", "yaml"],
    ["get", "fraud", "-w"],
    ["list"],
    ["list", "-w"],
    ["list", "-A", "-o", "name"],
    ["status", "fraud"],
    ["status", "fraud", "other"],
    ["why", "fraud"],
    ["promote", "fraud", "--dry-run"],
    ["history", "fraud"],
    ["diff", "fraud"],
    ["logs", "fraud"],
    ["logs", "fraud", "-f"],
    ["events", "fraud"],
    ["checks", "fraud", "-w"],
    ["checks", "fraud", "-o", "json"],
    ["record", "fraud"],
    ["version", "--client"],
    ["completion", "zsh"],
]


EVENT = {
    "kind": "Event",
    "metadata": {"uid": "1"},
    "involvedObject": {"kind": "ModelDeployment", "name": "fraud"},
    "type": "Normal",
    "reason": "Promoted",
    "message": "Version v2 is promoted.",
    "lastTimestamp": "2026-11-28T14:00:00Z",
}


def runs(kubectl: Standin, stdout: str, commands: Sequence[list[str]]) -> list[Ended]:
    """How each command ends with such a stdout."""
    kubectl.answers("get", "events", out={"kind": "List", "items": [EVENT]})
    kubectl.answers("annotate")
    kubectl.answers("logs", out="one\n")
    cluster(kubectl, "step-pause")
    done = subprocess.run(
        [sys.executable, "-c", _RUNS, stdout, json.dumps(commands)],
        capture_output=True,
        text=True,
        env=kubectl.environment,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(found) == len(commands)
    return [Ended(code, "", err) for code, err in found]


@pytest.mark.slow
def test_full_disk_is_one_sentence_and_exit_code_2(kubectl: Standin) -> None:
    for words, done in zip(_COMMANDS, runs(kubectl, "full", _COMMANDS), strict=True):
        assert (done.code, done.err.splitlines()) == (2, [_FULL]), (words, done)


@pytest.mark.slow
def test_reader_that_ends_early_ends_the_program_without_a_message(kubectl: Standin) -> None:
    for words, done in zip(_COMMANDS, runs(kubectl, "pipe", _COMMANDS), strict=True):
        assert (done.code, done.err) == (141, ""), (words, done)


def test_closed_stdout_discards_the_output(kubectl: Standin) -> None:
    commands = [["list"], ["get", "fraud"], ["version", "--client"]]
    assert runs(kubectl, "closed", commands) == [Ended(0, "", "")] * 3


def test_full_stderr_does_not_change_the_exit_code(kubectl: Standin) -> None:
    kubectl.fails('Error from server (NotFound): modeldeployments.canarium.dev "x" not found')
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "canarium_cli.main", "get", "x"],
            stderr=full,
            env=kubectl.environment,
        )
    assert done.returncode == 4


def shown(kubectl: Standin, columns: int, *words: str) -> list[str]:
    """The lines that a terminal of this width is sent."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    environment = {k: v for k, v in kubectl.environment.items() if k not in ("COLUMNS", "LINES")}
    command = [sys.executable, "-m", "canarium_cli.main", *words]
    process = subprocess.Popen(command, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    text = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:
            # Linux answers a read with an error once the other end is closed.
            break
        text += part
    os.close(ours)
    assert process.wait(60) == 0
    return text.decode().splitlines()


def test_row_of_a_table_is_several_lines_where_the_terminal_is_narrow(kubectl: Standin) -> None:
    cluster(kubectl, "step-pause")
    lines = shown(kubectl, 40, "list")
    assert max(map(len, lines)) <= 40, lines
    assert lines[0] == "fraud"
    assert lines[1:3] == [
        "    PHASE Progressing  VERSION v1",
        "    CANDIDATE v2  STEP 1/3  WEIGHT 25 %",
    ]
    assert not any("NAME " in line for line in lines)
    wide = shown(kubectl, 200, "list")
    assert wide[0].startswith("NAME ")
    assert len(wide) == 2


def test_tree_keeps_its_branches_where_the_terminal_is_narrow(kubectl: Standin) -> None:
    cluster(kubectl, "step-pause")
    lines = shown(kubectl, 40, "get", "fraud")
    start = next(n for n, line in enumerate(lines) if line.startswith("├─ "))
    assert max(map(len, lines[start:])) <= 40, lines
    assert "KIND Revision  STATUS Candidate" in lines[start + 1]


def test_long_cell_is_wrapped_between_words_below_its_column() -> None:
    cells = ("fraud", "Ready", "-", "Version 2 serves all traffic since noon")
    lines = table(("NAME", "PHASE", "STEP", "MESSAGE"), [cells], width=30)
    assert [plain(x) for x in lines] == [
        "fraud",
        "    PHASE Ready",
        "    MESSAGE Version 2 serves",
        "            all traffic since",
        "            noon",
    ]
    assert all(len(plain(x)) <= 30 for x in lines)
