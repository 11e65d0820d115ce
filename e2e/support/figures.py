"""Figures that end-to-end tests measure, as tables for the end of a run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

#: How a property of a test's report begins that is a row of a table.
FIGURES = "figures: "


def tables(reports: Iterable[Any]) -> Iterator[tuple[str, list[str]]]:
    """Each table of pytest's `reports` with its lines, columns aligned."""
    rows_by_table: dict[str, list[dict[str, str]]] = {}
    for report in reports:
        # A test is reported up to three times; the last time with all of its properties.
        if getattr(report, "when", None) != "teardown":
            continue
        for name, row in report.user_properties:
            if name.startswith(FIGURES):
                rows_by_table.setdefault(name.removeprefix(FIGURES), []).append(row)
    for title, rows in rows_by_table.items():
        head = {column: column.replace("_", " ") for row in rows for column in row}
        wide = {column: max(len(row.get(column, "")) for row in [head, *rows]) for column in head}
        yield (
            title,
            ["  ".join(r.get(c, "").ljust(wide[c]) for c in head).rstrip() for r in [head, *rows]],
        )
