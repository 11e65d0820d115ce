"""What one sees: a live panel in a terminal, plain lines elsewhere, and the closing table."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text


@dataclass
class Stage:
    """A stage of the story: what was expected and what was observed."""

    title: str
    sent: int = 0
    failed: int = 0
    wanted: str = ""
    measured: str = ""
    off: str = ""
    broken: list[str] = field(default_factory=list)


class View:
    """Prints the story while it runs."""

    def __init__(self) -> None:
        self.console = Console()
        self._began = time.monotonic()
        self._live: Live | None = None
        if self.console.is_terminal:
            self._live = Live(console=self.console, refresh_per_second=4)
            self._live.start()

    def say(self, text: str, style: str = "") -> None:
        """Prints one line; brackets in it are not markup, and it is not wrapped without a
        terminal."""
        at = f"{time.monotonic() - self._began:6.1f}s"
        line = Text.assemble((at, "dim"), "  ", (text, style))
        self.console.print(line, soft_wrap=not self.console.is_terminal)

    def show(self, message: str, counts: Counter[str | None]) -> None:
        """The model's own words, and who answered in the last seconds."""
        if self._live is None:
            return
        table = Table(title=message, title_justify="left", show_header=False, box=None)
        total = counts.total() or 1
        for version, count in sorted(counts.items(), key=lambda item: str(item[0])):
            bar = "█" * round(40 * count / total)
            table.add_row(version or "failed", bar, f"{100 * count / total:.0f} %")
        self._live.update(table)

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """A table of measurements."""
        table = Table(*columns, title=title)
        for row in rows:
            table.add_row(*row)
        Console(width=max(self.console.width, 120)).print(table)

    def stop(self) -> None:
        if self._live:
            self._live.stop()
            self._live = None

    def close(self, stages: list[Stage]) -> bool:
        """The closing table; whether every expectation held."""
        self.stop()
        table = Table(title="What was seen")
        for name in ("Stage", "Sent", "Failed", "Split wanted", "measured", "Off after", "Held"):
            table.add_column(name)
        for stage in stages:
            table.add_row(
                stage.title,
                str(stage.sent),
                str(stage.failed),
                stage.wanted,
                stage.measured,
                stage.off,
                "[red]no[/red]" if stage.broken else "[green]yes[/green]",
            )
        Console(width=max(self.console.width, 120)).print(table)
        for stage in stages:
            for text in stage.broken:
                self.console.print(f"[red]{stage.title}: {text}[/red]")
        return not any(stage.broken for stage in stages)
