"""The picture of one check: candidate, stable and bound over time, with the verdicts."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from canarium.view.tree import Check
from canarium_dashboard.drawing.svg import (
    Scale,
    element,
    picture,
    stairs,
    time_axis,
    time_scale,
    value_axis,
)
from canarium_dashboard.history import Point

_HEIGHT = 130.0
_BAND = 8.0
_MARKS = {"Pass": "✔", "Fail": "✖"}


def series(points: Sequence[Point], name: str) -> list[tuple[float, Check]]:
    """Returns the times at which a check had values, with them."""
    return [(p.time, c) for p in points for c in p.checks if c.name == name]


def plot(points: Sequence[Point], name: str, now: float) -> Markup:
    """Returns the picture of a check; empty where nothing was measured."""
    found = series(points, name)
    values = [
        v for _, c in found for v in (c.value, c.stable, c.threshold) if v is not None and v == v
    ]
    if not values:
        return Markup("")
    low, high = min(0.0, *values), max(values)
    high = high if high > low else low + 1.0
    x = time_scale(found[0][0], now)
    y = Scale(low, low + (high - low) * 1.1, _HEIGHT - 36, 8)
    parts = [
        *value_axis(y, [(low, f"{low:.3g}"), (high, f"{high:.3g}")]),
        *time_axis(x, _HEIGHT - 24, 8),
    ]
    for field in ("threshold", "stable", "value"):
        drawn = [(t, v) for t, c in found if (v := getattr(c, field)) is not None and v == v]
        if drawn:
            parts.append(
                element("polyline", points=stairs(x, y, drawn, now), class_=f"line {field}")
            )
    ends = [t for t, _ in found[1:]] + [now]
    for (begin, check), end in zip(found, ends, strict=True):
        kind = check.verdict.lower() if check.verdict in ("Pass", "Fail") else "insufficient"
        left, right = x(begin), max(x(end), x(begin) + 3)
        parts.append(
            element(
                "rect",
                element("title", f"{check.verdict} {check.reason}"),
                x=left,
                y=_HEIGHT - 34,
                width=right - left,
                height=_BAND,
                class_=f"band {kind}",
            )
        )
    last = found[-1][1]
    words = "; ".join(
        f"{label} {value:.4g}"
        for label, value in (
            ("candidate", last.value),
            ("stable", last.stable),
            ("bound", last.threshold),
        )
        if value is not None
    )
    return picture(f"Check {name}", f"{words}; verdict {last.verdict}", _HEIGHT, parts)
