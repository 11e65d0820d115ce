"""Elements of SVG, escaped, and the scales of plots."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from dataclasses import dataclass

from markupsafe import Markup, escape

#: Width of all plots in user units; CSS scales them to the page.
WIDTH = 720.0
#: Space on the left for the labels of the vertical axis, and on the right.
LEFT, RIGHT = 64.0, 12.0


def element(tag: str, *children: str | Markup, **attributes: object) -> Markup:
    """Returns an element; `_` in the name of an attribute stands for `-`, a last one is dropped."""
    words = Markup("").join(
        Markup(' {}="{}"').format(Markup(name.rstrip("_").replace("_", "-")), _text(value))
        for name, value in attributes.items()
    )
    inner = Markup("").join(escape(child) for child in children)
    return Markup("<{}{}>{}</{}>").format(Markup(tag), words, inner, Markup(tag))


def _text(value: object) -> str:
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else str(value)


def picture(title: str, description: str, height: float, children: Iterable[Markup]) -> Markup:
    """Returns a picture with its text alternative."""
    return element(
        "svg",
        element("title", title),
        element("desc", description),
        *children,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {WIDTH:.0f} {height:.0f}",
        role="img",
        aria_label=f"{title}. {description}",
        class_="plot",
    )


@dataclass(frozen=True, slots=True)
class Scale:
    """A linear scale from values to user units."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        span = (self.high - self.low) or 1.0
        share = min(1.0, max(0.0, (value - self.low) / span))
        return self.start + share * (self.end - self.start)


def time_scale(low: float, high: float) -> Scale:
    """Returns the horizontal scale for POSIX seconds."""
    return Scale(low, max(high, low + 1.0), LEFT, WIDTH - RIGHT)


_STEPS = (
    1, 5, 10, 30, 60, 300, 600, 1800, 3600, 10_800, 21_600, 43_200,
    86_400, 172_800, 604_800, 1_209_600, 2_592_000, 7_776_000, 31_536_000,
)  # fmt: skip


def time_axis(scale: Scale, y: float, top: float) -> list[Markup]:
    """Returns about five labelled lines at round times (UTC)."""
    span = scale.high - scale.low
    step = next((s for s in _STEPS if span / s <= 6), _STEPS[-1])
    form = "%H:%M:%S" if step < 60 else "%H:%M" if span < 86_400 else "%b %d"
    marks: list[Markup] = []
    at = math.ceil(scale.low / step) * step
    while at <= scale.high and len(marks) < 20:
        x = scale(at)
        label = time.strftime(form, time.gmtime(at))
        marks.append(element("line", x1=x, x2=x, y1=top, y2=y, class_="grid"))
        marks.append(element("text", label, x=x, y=y + 14, class_="tick", text_anchor="middle"))
        at += step
    return marks


def value_axis(scale: Scale, values: Iterable[tuple[float, str]]) -> list[Markup]:
    """Returns labelled horizontal lines."""
    lines = []
    for value, label in values:
        y = scale(value)
        lines.append(element("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y, class_="grid"))
        lines.append(element("text", label, x=LEFT - 6, y=y + 4, class_="tick", text_anchor="end"))
    return lines


def stairs(x: Scale, y: Scale, points: Iterable[tuple[float, float]], end: float) -> str:
    """Returns the points of a line that keeps each value until the next time."""
    corners: list[str] = []
    last = None
    for moment, value in points:
        if last is not None:
            corners.append(f"{x(moment):.1f},{y(last):.1f}")
        corners.append(f"{x(moment):.1f},{y(value):.1f}")
        last = value
    if last is not None:
        corners.append(f"{x(end):.1f},{y(last):.1f}")
    return " ".join(corners)
