"""Values over time: rings of what the status of opened models contained.

The status has only the latest values, so the process remembers those that it has seen: at most
`POINTS` for each of at most `MODELS` models. A point is stored when a value has changed. Measured
with tracemalloc (Python 3.11): 4.1 KB for a point with eight checks, 0.2 KB for one without; so a
full ring has 2.4 MB, and 60 full rings have 147 MB. A restart of the process empties the rings.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

from canarium.view.model import checks
from canarium.view.objects import Raw, number, part, text
from canarium.view.tree import Check

POINTS, MODELS = 600, 60
#: At most this many checks are stored in a point.
CHECKS = 8


@dataclass(frozen=True, slots=True)
class Point:
    """What the status contained from `time` (POSIX seconds) on, until the next point."""

    time: float
    phase: str
    revision: str
    weight: int
    effective_weight: int
    checks: tuple[Check, ...] = ()


class History:
    """The rings of one process, by the UID of the model."""

    def __init__(self, points: int = POINTS, models: int = MODELS) -> None:
        self._points, self._models = points, models
        self._rings: OrderedDict[str, deque[Point]] = OrderedDict()
        #: The newest version of each model that was seen.
        self._versions: dict[str, int] = {}

    def open(self, model: Raw, now: float) -> None:
        """Begins to record a model, because a user has opened its page."""
        uid = text(part(model, "metadata"), "uid")
        if not uid:
            return
        if uid not in self._rings:
            while len(self._rings) >= self._models:
                self._versions.pop(self._rings.popitem(last=False)[0], None)
            self._rings[uid] = deque(maxlen=self._points)
        self._rings.move_to_end(uid)
        self.observe(model, now)

    def observe(self, model: Raw, now: float) -> None:
        """Remembers the values of an opened model if they have changed."""
        meta = part(model, "metadata")
        uid, written = text(meta, "uid"), text(meta, "resourceVersion")
        ring = self._rings.get(uid)
        if ring is None:
            return
        # Reads and watches overtake each other; Kubernetes orders versions as numbers.
        version = int(written) if written.isascii() and written.isdigit() else 0
        if version < self._versions.get(uid, 0):
            return
        self._versions[uid] = version
        found = point(model, now)
        if not ring or replace(found, time=ring[-1].time) != ring[-1]:
            ring.append(found)

    def points(self, model: Raw) -> Sequence[Point]:
        """Returns what is remembered of a model, the oldest first."""
        return tuple(self._rings.get(text(part(model, "metadata"), "uid"), ()))


def point(model: Raw, now: float) -> Point:
    """Returns the values of a model at `now`."""
    status = part(model, "status")
    candidate = part(status, "candidate")
    short = tuple(replace(check, message="") for check in checks(model)[:CHECKS])
    return Point(
        time=now,
        phase=text(status, "phase"),
        revision=text(candidate, "revision"),
        weight=number(status, "weight") if candidate else 0,
        effective_weight=number(candidate, "effectiveWeight") if candidate else 0,
        checks=short,
    )
