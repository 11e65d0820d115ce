"""The picture of one check: candidate, stable and bound over time, with the verdicts."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from canarium.view.ages import moment_of
from canarium.view.tree import Evaluation
from canarium_dashboard.drawing.svg import (
    Scale,
    element,
    picture,
    stairs,
    time_axis,
    time_scale,
    value_axis,
)

_HEIGHT = 130.0
_BAND = 8.0


def plot(evaluations: Sequence[Evaluation], name: str) -> Markup:
    """Returns the picture of a check; empty where nothing was measured."""
    timed = [(at, e) for e in evaluations if (at := moment_of(e.time)) is not None]
    values = [
        v for _, c in timed for v in (c.value, c.stable, c.threshold) if v is not None and v == v
    ]
    if not values:
        return Markup("")
    low, high = min(0.0, *values), max(values)
    high = high if high > low else low + 1.0
    # The last value is drawn as long as the one before it.
    times = [at for at, _ in timed]
    end = times[-1] + (times[-1] - times[-2] if len(times) > 1 else 1.0)
    x = time_scale(times[0], end)
    y = Scale(low, low + (high - low) * 1.1, _HEIGHT - 36, 8)
    parts = [
        *value_axis(y, [(low, f"{low:.3g}"), (high, f"{high:.3g}")]),
        *time_axis(x, _HEIGHT - 24, 8),
    ]
    for field in ("threshold", "stable", "value"):
        drawn = [(t, v) for t, c in timed if (v := getattr(c, field)) is not None and v == v]
        if drawn:
            parts.append(
                element("polyline", points=stairs(x, y, drawn, end), class_=f"line {field}")
            )
    for (begin, one), until in zip(timed, [*times[1:], end], strict=True):
        kind = one.verdict.lower() if one.verdict in ("Pass", "Fail") else "insufficient"
        left, right = x(begin), max(x(until), x(begin) + 3)
        parts.append(
            element(
                "rect",
                element("title", _words(one)),
                x=left,
                y=_HEIGHT - 34,
                width=right - left,
                height=_BAND,
                class_=f"band {kind}",
            )
        )
    last = timed[-1][1]
    return picture(f"Check {name}", _words(last), _HEIGHT, parts)


def _words(one: Evaluation) -> str:
    values = [("candidate", one.value), ("stable", one.stable), ("bound", one.threshold)]
    words = [f"{label} {value:.4g}" for label, value in values if value is not None]
    if one.samples is not None:
        words.append(f"{one.samples} samples")
    return ", ".join([*words, f"verdict {one.verdict or 'unknown'}"])
