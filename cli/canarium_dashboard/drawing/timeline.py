"""The picture of who served when."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from canarium_dashboard.drawing.svg import LEFT, element, picture, time_axis, time_scale
from canarium_dashboard.serving import Mark, Period

_LANE, _BAR = 26.0, 14.0
#: Shapes differ as well as colors.
_SYMBOLS = {"promoted": "✔", "failed": "✖", "ended": "■", "command": "◆"}


def timeline(periods: Sequence[Period], marks: Sequence[Mark], now: float) -> Markup:
    """Returns the picture: a lane per revision, the newest on top; empty without periods."""
    if not periods:
        return Markup("")
    lanes = list(dict.fromkeys(p.revision for p in reversed(periods)))
    begin = min(p.began for p in periods)
    # A mark belongs to the picture if its revision is in it, or it is a command.
    shown = [m for m in marks if m.time >= begin and (m.revision in lanes or m.kind == "command")]
    lanes += [r for r in dict.fromkeys(m.revision for m in shown) if r and r not in lanes][:4]
    height = len(lanes) * _LANE + 30
    x = time_scale(begin, now)
    versions = {p.revision: p.version for p in periods}
    parts = time_axis(x, height - 20, 4)
    for lane, revision in enumerate(lanes):
        y = lane * _LANE + 8
        name = versions.get(revision) or revision
        label = name if len(name) <= 9 else name[:8] + "…"
        parts.append(element("text", label, x=LEFT - 6, y=y + 11, class_="tick", text_anchor="end"))
        parts.extend(_bar(p, x, y, now) for p in periods if p.revision == revision)
    for mark in shown:
        lane = lanes.index(mark.revision) if mark.revision in lanes else len(lanes) - 1
        parts.append(
            element(
                "text",
                _SYMBOLS[mark.kind],
                element("title", f"{mark.revision} {mark.text}"),
                x=x(mark.time),
                y=lane * _LANE + 20,
                class_=f"mark {mark.kind}",
                text_anchor="middle",
            )
        )
    serving = [p.version or p.revision for p in periods if p.ended is None]
    words = f"{len(lanes)} revisions; with traffic now: {', '.join(serving) or 'none'}"
    return picture("Who served when", words, height, parts)


def _bar(period: Period, x: object, y: float, now: float) -> Markup:
    assert callable(x)
    end = period.ended if period.ended is not None else now
    full = period.promoted if period.promoted is not None else end
    parts = []
    for start, stop, kind in ((period.began, full, "some"), (full, end, "all")):
        if stop > start:
            width = max(2.0, x(stop) - x(start))
            parts.append(
                element("rect", x=x(start), y=y, width=width, height=_BAR, rx=2, class_=kind)
            )
    return element("g", *parts)
