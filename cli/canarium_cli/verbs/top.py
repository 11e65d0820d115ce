"""`top`: the fleet live in the terminal.

rich, which every other view uses, is enough for a table that redraws and a few keys, so there is
no extra that installs textual.
"""

from __future__ import annotations

import os
import queue
import select
import shutil
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import click

from canarium.view.fleet import Row, fleet
from canarium.view.objects import Raw, part, text
from canarium_cli.connection import Connection, connected
from canarium_cli.exits import CliError, OldKubectl, usage
from canarium_cli.kubectl import Kubectl, Watch
from canarium_cli.output.lines import Line, Span, Style, line
from canarium_cli.output.terminal import Screen
from canarium_cli.reads import MODELS
from canarium_cli.verbs.list import fleet_lines

#: Seconds between two frames: countdowns move, and keys are answered within it.
_FRAME = 0.5
#: Seconds before a watch that ended is started again.
_AGAIN = 1.0
#: Lines around the table.
_AROUND = 4


@click.command("top")
@click.option("-A", "--all-namespaces", is_flag=True, help="Show the models of all namespaces.")
@click.option("-l", "--selector", metavar="LABELS", help="Only models with these labels.")
@click.option("--attention", is_flag=True, help="Begin with models that need a person only.")
@connected
def top_command(
    connection: Connection, all_namespaces: bool, selector: str | None, attention: bool
) -> None:
    """Show the fleet live, those that need attention first.

    Keys: q ends it, a shows only models that need attention or all, the arrows scroll.
    """
    if not sys.stdout.isatty() or not sys.stdin.isatty():
        raise usage("top needs a terminal. Use `kubectl modeldeploy list`, with -w to follow.")
    words = [MODELS, *(["--all-namespaces"] if all_namespaces else [])]
    if selector:
        words.append(f"--selector={selector}")
    models = _Models(connection.kubectl, words)
    offset = 0
    with models, _keys() as pressed, Screen(connection.color, full=True) as screen:
        while True:
            rows = fleet(models.current(), time.time())
            shown = tuple(row for row in rows if row.urgency.needs_attention or not attention)
            height = max(1, shutil.get_terminal_size().lines - _AROUND)
            offset = max(0, min(offset, len(shown) - height))
            head = _head(rows, models.fault, attention)
            body = fleet_lines(shown[offset : offset + height], all_namespaces, False)
            screen.show([head, *body, _foot(len(shown), offset, height)])
            key = pressed(_FRAME)
            if key in ("q", "\x03"):
                return
            attention ^= key == "a"
            offset += {"\x1b[A": -1, "\x1b[B": 1, "\x1b[5~": -height, "\x1b[6~": height}.get(key, 0)


def _head(rows: tuple[Row, ...], fault: str, attention: bool) -> Line:
    if fault:
        return line(Span(f"Reconnecting: {fault}", Style.BAD))
    phases = Counter(row.phase for row in rows)
    needy = sum(row.urgency.needs_attention for row in rows)
    counts = "  ".join(f"{phase} {count}" for phase, count in sorted(phases.items()))
    mark = Span(f"{needy} need attention", Style.WARNING if needy else Style.GOOD)
    shown = " (only these are shown)" if attention else ""
    return line(Span(f"{len(rows)} models  ", Style.TITLE), mark, f"{shown}  {counts}")


def _foot(count: int, offset: int, height: int) -> Line:
    part_ = f"{offset + 1}-{min(count, offset + height)} of {count}  " if count > height else ""
    return line(Span(f"{part_}q quit  a attention  ↑↓ scroll", Style.MUTED))


class _Models:
    """The models as of the last event of one watch, which a thread reads and restarts."""

    def __init__(self, kubectl: Kubectl, words: list[str]) -> None:
        self._kubectl, self._words = kubectl, words
        self._models: dict[tuple[str, str], Raw] = {}
        self._events: queue.SimpleQueue[dict[tuple[str, str], Raw | None]] = queue.SimpleQueue()
        #: Why the watch ended; empty while it runs.
        self.fault = ""
        self._old_kubectl: OldKubectl | None = None
        self._watch: Watch | None = None
        # The first read shows faults of the command line before the screen is taken.
        self._replace(kubectl.get(*words))

    def __enter__(self) -> None:
        threading.Thread(target=self._follow, daemon=True).start()

    def __exit__(self, *_: object) -> None:
        if self._watch:
            self._watch.stop()

    def current(self) -> list[Raw]:
        """The models now. Raises CliError if this kubectl cannot watch."""
        if self._old_kubectl:
            raise self._old_kubectl
        while not self._events.empty():
            for key, model in self._events.get().items():
                if model is None:
                    self._models.pop(key, None)
                else:
                    self._models[key] = model
        return list(self._models.values())

    def _replace(self, models: list[Raw]) -> None:
        new: dict[tuple[str, str], Raw | None] = {_key(model): model for model in models}
        gone: dict[tuple[str, str], Raw | None] = dict.fromkeys(set(self._models) - set(new))
        self._events.put({**gone, **new})

    def _follow(self) -> None:
        while True:
            self._watch = watch = self._kubectl.watch(*self._words)
            for kind, model in watch:
                self.fault = ""
                if kind in ("ADDED", "MODIFIED", "DELETED"):
                    self._events.put({_key(model): None if kind == "DELETED" else model})
            error = watch.fault()
            if isinstance(error, OldKubectl):
                self._old_kubectl = error
            time.sleep(_AGAIN)
            try:
                # Deletions that happened meanwhile are not reported by the next watch.
                self._replace(self._kubectl.get(*self._words))
                self.fault = ""
            except CliError as again:
                self.fault = (error or again).message


def _key(model: Raw) -> tuple[str, str]:
    meta = part(model, "metadata")
    return text(meta, "namespace"), text(meta, "name")


class _Pressed:
    """Waits for a key; an arrow is one key of several characters."""

    def __call__(self, seconds: float) -> str:
        ready, _, _ = select.select([sys.stdin], [], [], seconds)
        return os.read(sys.stdin.fileno(), 8).decode(errors="ignore") if ready else ""


@contextmanager
def _keys() -> Iterator[_Pressed]:
    """Reads keys one by one, without echo; the terminal is as before at the end."""
    import termios
    import tty

    file = sys.stdin.fileno()
    before = termios.tcgetattr(file)
    try:
        tty.setcbreak(file)
        yield _Pressed()
    except KeyboardInterrupt:
        pass
    finally:
        termios.tcsetattr(file, termios.TCSADRAIN, before)
