"""Small pictures of a measured value: where it is beside its bound, and how it moved."""

from __future__ import annotations

from collections.abc import Sequence

_LEVELS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float | None], bound: float | None, width: int = 16) -> str:
    """The last `width` values as bars, on a scale from 0 to the largest of values and bound; a
    space where there was no value."""
    shown = list(values)[-width:]
    top = max([abs(x) for x in (*shown, bound) if x is not None], default=0.0)
    return "".join(" " if x is None else _bar(abs(x), top) for x in shown)


def gauge(value: float | None, bound: float | None, width: int = 12) -> str:
    """One value beside its bound: a bar on a scale that ends at the larger of one and a half
    bounds and the value, with `|` at the bound. Empty without a value and a positive bound."""
    if value is None or bound is None or bound <= 0:
        return ""
    scale = max(1.5 * bound, value)
    filled, mark = round(width * max(value, 0.0) / scale), round(width * bound / scale)
    cells = ["█" if place < filled else "░" for place in range(width)]
    return "".join([*cells[:mark], "|", *cells[mark:]])


def _bar(value: float, top: float) -> str:
    return _LEVELS[0] if not top else _LEVELS[min(7, int(value / top * 8))]
