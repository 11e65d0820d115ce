"""From a server's metrics text to the few series that somebody asked for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import regex
from prometheus_client.parser import text_string_to_metric_families

from canarium.core.measures import Selector
from canarium.core.windows import Labels

#: Users write the patterns: one that backtracks for ever must not stop the operator.
_MATCH_SECONDS = 0.05


class Unreadable(ValueError):
    """The text is not in the exposition format, or a pattern is wrong; the text says where."""


def parse(text: str, selectors: Iterable[Selector]) -> dict[str, dict[Labels, float]]:
    """The values of each selector by series; an entry per selector, perhaps empty.

    Raises Unreadable.
    """
    wanted: dict[str, list[Selector]] = defaultdict(list)
    for selector in selectors:
        wanted[selector.name].append(selector)
    found: dict[str, dict[Labels, float]] = {s.key: {} for asked in wanted.values() for s in asked}
    # The parser is pure Python and servers have thousands of series: it sees only our lines.
    lines = [line for line in text.splitlines() if _name(line) in wanted]
    try:
        for family in text_string_to_metric_families("\n".join(lines) + "\n"):
            for sample in family.samples:
                series = tuple(sorted(sample.labels.items()))
                for selector in wanted.get(sample.name, ()):
                    if _matches(selector, sample.labels):
                        found[selector.key][series] = float(sample.value)
    except (ValueError, IndexError, KeyError) as error:
        raise Unreadable(f"not in Prometheus' text format: {error}") from error
    return found


def _name(line: str) -> str:
    end = len(line)
    for mark in "{ \t":
        place = line.find(mark)
        end = min(end, place) if place >= 0 else end
    return line[:end]


def _matches(selector: Selector, labels: dict[str, str]) -> bool:
    try:
        return all(
            _compiled(pattern).fullmatch(labels.get(label, ""), timeout=_MATCH_SECONDS)
            for label, pattern in selector.labels
        )
    except TimeoutError as error:
        raise Unreadable(f"a label pattern of {selector.key} takes too long to match") from error


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> Any:
    try:
        return regex.compile(pattern)
    except regex.error as error:
        raise Unreadable(f"label pattern {pattern!r}: {error}") from error
