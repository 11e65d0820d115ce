"""The picture of the candidate's weight over time."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

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

_HEIGHT = 150.0


def weights(points: Sequence[Point], now: float) -> Markup:
    """Returns wanted and effective weight as two lines; empty without points."""
    if not points:
        return Markup("")
    x, y = time_scale(points[0].time, now), Scale(0, 100, _HEIGHT - 24, 8)
    wanted = stairs(x, y, [(p.time, p.weight) for p in points], now)
    effective = stairs(x, y, [(p.time, p.effective_weight) for p in points], now)
    last = points[-1]
    return picture(
        "Weight of the candidate over time",
        f"now {last.weight} % wanted and {last.effective_weight} % effective; "
        f"highest {max(p.weight for p in points)} %",
        _HEIGHT,
        [
            *value_axis(y, [(0, "0 %"), (50, "50 %"), (100, "100 %")]),
            *time_axis(x, _HEIGHT - 24, 8),
            element("polyline", points=effective, class_="line effective"),
            element("polyline", points=wanted, class_="line wanted"),
        ],
    )
