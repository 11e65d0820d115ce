"""The table of values in the chart's README, between two marks."""

from __future__ import annotations

import json
from collections.abc import Sequence

from generators.values import Value

BEGIN, END = "<!-- values: made by `make generate` -->", "<!-- end of values -->"


def filled(readme: str, values: Sequence[Value]) -> str:
    """`readme` with its table renewed. Raises ValueError when a mark is missing."""
    try:
        before, rest = readme.split(BEGIN, 1)
        _, after = rest.split(END, 1)
    except ValueError as error:
        raise ValueError(f"the README needs the marks {BEGIN} and {END}") from error
    return f"{before}{BEGIN}\n{table(values)}{END}{after}"


def table(values: Sequence[Value]) -> str:
    """A row per key that one sets."""
    rows = ["| Key | Default | What it does |", "|---|---|---|"]
    for leaf in (leaf for value in values for leaf in value.leaves()):
        default = json.dumps(leaf.default, ensure_ascii=False)
        rows.append(f"| `{'.'.join(leaf.path)}` | `{_cell(default)}` | {_cell(leaf.text)} |")
    return "\n".join(rows) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
