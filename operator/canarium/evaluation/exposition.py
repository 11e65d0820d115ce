"""From a server's metrics page to the few series that a check uses.

Linear in the page: lines of other metrics are skipped by one regular expression over the bytes,
and more lines of the metrics in question than `MOST_SERIES` are refused before they are parsed.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from canarium.evaluation.errors import ErrorReason, EvaluationError

#: Series of the metrics in question on one page. A histogram of 20 buckets with 250 label sets.
MOST_SERIES = 5_000
#: Values of one page over all selectors, which may select the same series.
MOST_VALUES = 10_000
_LABEL = re.compile(r'\s*([a-zA-Z_][a-zA-Z0-9_.:]*)\s*=\s*"((?:[^"\\]|\\.)*)"\s*(,|(?=\}))')
_ESCAPE = re.compile(r"\\(.)")
_UNESCAPED = {"n": "\n", "\\": "\\", '"': '"'}

#: What is kept of a series: its bucket's bound, if it has one, and a digest of its other labels.
SeriesKey = tuple[str | None, str]


def selected(
    page: bytes, selectors: Iterable[Mapping[str, Any]]
) -> dict[str, dict[SeriesKey, float]]:
    """Returns the values of each selector (key, name, labels) by series. Raises EvaluationError."""
    wanted: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for selector in selectors:
        wanted[selector["name"]].append(selector)
    samples: dict[str, dict[SeriesKey, float]] = {
        s["key"]: {} for selectors in wanted.values() for s in selectors
    }
    kept = 0
    for line in _lines(page, wanted):
        name, labels, value = _sample(line)
        series: SeriesKey | None = None
        for selector in wanted.get(name, ()):
            if _matches(selector["labels"], labels):
                series = series or _series(labels, line)
                kept += 1
                if kept > MOST_VALUES:
                    raise EvaluationError(
                        ErrorReason.TOO_MANY_SERIES,
                        f"the checks select more than {MOST_VALUES} values of the page; "
                        "several select the same series",
                    )
                samples[selector["key"]][series] = value
    return samples


def _lines(page: bytes, names: Iterable[str]) -> list[str]:
    either = b"|".join(sorted((re.escape(name.encode()) for name in names), reverse=True))
    if not either:
        return []
    lines: list[str] = []
    for match in re.finditer(rb"^(?:" + either + rb")(?=[{ \t])[^\n]*", page, re.MULTILINE):
        if len(lines) == MOST_SERIES:
            raise EvaluationError(
                ErrorReason.TOO_MANY_SERIES,
                f"the page has more than {MOST_SERIES} series of the metrics that are checked; "
                "a label with many values, such as a path, makes them",
            )
        lines.append(match.group().decode(errors="replace"))
    return lines


def _sample(line: str) -> tuple[str, dict[str, str], float]:
    labels: dict[str, str] = {}
    end = min(place for mark in "{ \t" if (place := line.find(mark)) >= 0)
    name, rest = line[:end], line[end:].lstrip(" \t")
    if rest.startswith("{"):
        place = 1
        while match := _LABEL.match(rest, place):
            text = match[2]
            labels[match[1]] = _ESCAPE.sub(_unescaped, text) if "\\" in text else text
            place = match.end()
        rest = rest[place:].lstrip()
        if not rest.startswith("}"):
            raise _unreadable(line)
        rest = rest[1:]
    # Behind a hash: an exemplar of OpenMetrics.
    words = rest.partition("#")[0].split()
    if not 1 <= len(words) <= 2 or "_" in rest.partition("#")[0]:
        raise _unreadable(line)
    try:
        value, _ = float(words[0]), float(words[-1])
    except ValueError as error:
        raise _unreadable(line) from error
    return name, labels, value


def _unescaped(match: re.Match[str]) -> str:
    return _UNESCAPED.get(match[1], match[0])


def _series(labels: Mapping[str, str], line: str) -> SeriesKey:
    bound = labels.get("le")
    if bound is not None:
        try:
            if float(bound) != float(bound) or len(bound) > 32:
                raise ValueError
        except ValueError as error:
            raise _unreadable(line) from error
    others = sorted(item for item in labels.items() if item[0] != "le")
    if not others:
        return bound, ""
    text = repr(others).encode(errors="replace")
    return bound, hashlib.blake2b(text, digest_size=8).hexdigest()


def _unreadable(line: str) -> EvaluationError:
    return EvaluationError(
        ErrorReason.UNREADABLE, f"not in Prometheus' text format: {line[:80].strip()!r}"
    )


def _matches(patterns: Iterable[tuple[str, str]], labels: Mapping[str, str]) -> bool:
    return all(_compiled(pattern).fullmatch(labels.get(key, "")) for key, pattern in patterns)


@lru_cache(maxsize=64)
def _compiled(pattern: str) -> Any:
    import regex

    try:
        return regex.compile(pattern)
    except (regex.error, RecursionError, OverflowError) as error:
        text = f"label pattern {pattern!r} is not a valid regular expression: {error}"
        raise EvaluationError(ErrorReason.INVALID, text) from error
