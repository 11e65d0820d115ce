"""Values over time: what the status of opened models contained.

The status has the latest weights only, and the last evaluations of each check (decision 0036), so
the process remembers those that it has seen: for each of at most `MODELS` models, `POINTS` weights
and `EVALUATIONS` of each of `CHECKS` checks. A point is stored when a value has changed. Measured
with tracemalloc (Python 3.11): 0.2 KB for a point and 0.4 KB for an evaluation; a model with all of
them has 0.9 MB, and 60 such models have 54 MB. A restart of the process empties the rings.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from sys import intern

from canarium.view.model import checks
from canarium.view.objects import Raw, number, part, text
from canarium.view.tree import Evaluation

POINTS, MODELS = 600, 60
#: At most this many checks are remembered, and so many evaluations of each.
CHECKS, EVALUATIONS = 8, 240


@dataclass(frozen=True, slots=True)
class Point:
    """What the status contained from `time` (POSIX seconds) on, until the next point."""

    time: float
    phase: str
    revision: str
    weight: int
    effective_weight: int


@dataclass(slots=True)
class _Ring:
    points: deque[Point]
    #: By name of the check, then by time, the oldest first; all are of `revision`.
    evaluations: dict[str, dict[str, Evaluation]] = field(default_factory=dict)
    revision: str = ""
    #: The newest version of the model that was seen.
    version: int = 0


class History:
    """The rings of one process, by the UID of the model."""

    def __init__(self, points: int = POINTS, models: int = MODELS) -> None:
        self._points, self._models = points, models
        self._rings: OrderedDict[str, _Ring] = OrderedDict()

    def open(self, model: Raw, now: float) -> None:
        """Begins to record a model, because a user has opened its page."""
        uid = _uid(model)
        if not uid:
            return
        if uid not in self._rings:
            while len(self._rings) >= self._models:
                self._rings.popitem(last=False)
            self._rings[uid] = _Ring(deque(maxlen=self._points))
        self._rings.move_to_end(uid)
        self.observe(model, now)

    def observe(self, model: Raw, now: float) -> None:
        """Remembers the values of an opened model if they have changed."""
        ring = self._rings.get(_uid(model))
        if ring is None:
            return
        # Reads and watches overtake each other; Kubernetes orders versions as numbers.
        written = text(part(model, "metadata"), "resourceVersion")
        version = int(written) if written.isascii() and written.isdigit() else 0
        if version < ring.version:
            return
        ring.version = version
        latest = point(model, now)
        if not ring.points or replace(latest, time=ring.points[-1].time) != ring.points[-1]:
            ring.points.append(latest)
        revision = text(part(model, "status", "analysis"), "revision")
        if revision != ring.revision:
            ring.revision, ring.evaluations = revision, {}
        for check in checks(model)[:CHECKS]:
            before = ring.evaluations.get(check.name, {})
            new = {e.time: replace(e, verdict=intern(e.verdict)) for e in check.evaluations}
            every = {**before, **new}
            ring.evaluations[check.name] = {t: every[t] for t in sorted(every)[-EVALUATIONS:]}

    def points(self, model: Raw) -> Sequence[Point]:
        """Returns what is remembered of the weights of a model, the oldest first."""
        ring = self._rings.get(_uid(model))
        return tuple(ring.points) if ring else ()

    def evaluations(self, model: Raw, check: str) -> Sequence[Evaluation]:
        """Returns the evaluations of a check, of the status and before it, the oldest first."""
        ring = self._rings.get(_uid(model))
        return tuple(ring.evaluations.get(check, {}).values()) if ring else ()


def point(model: Raw, now: float) -> Point:
    """Returns the values of a model at `now`."""
    status = part(model, "status")
    candidate = part(status, "candidate")
    return Point(
        time=now,
        phase=text(status, "phase"),
        revision=text(candidate, "revision"),
        weight=number(status, "weight") if candidate else 0,
        effective_weight=number(candidate, "effectiveWeight") if candidate else 0,
    )


def _uid(model: Raw) -> str:
    return text(part(model, "metadata"), "uid")
