"""`top`: the fleet live in the terminal.

rich, which every other view uses, is enough for a table that redraws and a few keys, so there is
no extra that installs textual.
"""

from __future__ import annotations

import os
import re
import select
import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import click

from canarium_cli.connection import Connection, connected
from canarium_cli.exits import usage
from canarium_cli.fleet_watch import FleetWatch, Seen
from canarium_cli.output.lines import Line, Span, Style, line
from canarium_cli.output.terminal import Screen
from canarium_cli.verbs.list import fleet_lines

#: Seconds between two frames: countdowns move, and keys are answered within it.
_FRAME = 0.5
#: Lines around the table.
_AROUND = 4
#: A key: an arrow is several characters (ECMA-48, control sequences).
_KEY = re.compile(r"\x1b\[[0-9;]*[@-~]|.", re.DOTALL)


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
    models = FleetWatch(connection.kubectl, selector, all_namespaces)
    offset, every, shown = 0, models.ordered(), list[Seen]()
    fresh = True
    with models, _keys() as pressed, Screen(connection.color, full=True) as screen:
        while True:
            if models.update():
                every, fresh = models.ordered(), True
            if fresh:
                shown = [x for x in every if not attention or x.row.urgency.needs_attention]
                counts, fresh = _counts(every, attention), False
            height = max(1, shutil.get_terminal_size().lines - _AROUND)
            offset = max(0, min(offset, len(shown) - height))
            now = time.time()
            # Only the lines on the screen are made: thousands would take longer than a frame.
            seen = [one.at(now) for one in shown[offset : offset + height]]
            body = fleet_lines(seen, all_namespaces, False)
            fault = models.fault
            head = line(Span(f"Reconnecting: {fault}", Style.BAD)) if fault else counts
            screen.show([head, *body, _foot(len(shown), offset, height)])
            key = pressed(_FRAME)
            if key in ("q", "\x03"):
                return
            if key == "a":
                attention, fresh = not attention, True
            offset += {"\x1b[A": -1, "\x1b[B": 1, "\x1b[5~": -height, "\x1b[6~": height}.get(key, 0)


def _counts(every: Sequence[Seen], attention: bool) -> Line:
    phases = Counter(one.row.phase for one in every)
    needy = sum(one.row.urgency.needs_attention for one in every)
    words = "  ".join(f"{phase} {count}" for phase, count in sorted(phases.items()))
    mark = Span(f"{needy} need attention", Style.WARNING if needy else Style.GOOD)
    shown = " (only these are shown)" if attention else ""
    return line(Span(f"{len(every)} models  ", Style.TITLE), mark, f"{shown}  {words}")


def _foot(count: int, offset: int, height: int) -> Line:
    part_ = f"{offset + 1}-{min(count, offset + height)} of {count}  " if count > height else ""
    return line(Span(f"{part_}q quit  a attention  ↑↓ scroll", Style.MUTED))


class _Pressed:
    """Waits for the next key. Several may have been pressed while a frame was made."""

    def __init__(self) -> None:
        self._typed = ""

    def __call__(self, seconds: float) -> str:
        if not self._typed and select.select([sys.stdin], [], [], seconds)[0]:
            self._typed = os.read(sys.stdin.fileno(), 1024).decode(errors="ignore")
        key = _KEY.match(self._typed)
        if key is None:
            return ""
        self._typed = self._typed[key.end() :]
        return key[0]


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
