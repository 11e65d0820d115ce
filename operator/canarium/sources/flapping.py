"""Whether the answers about a followed reference flap (R26).

Two successive answers that agree are evidence enough for a reference that moves now and then. They
are not for one whose answers change back and forth without end, such as an alias that two pipelines
contend for, or a registry with a replica that lags behind: by chance, two agree every few requests,
and each time another rollout would start.

A reference flaps once its answers have changed more than `MOST_CHANGES` times within `PERIOD`, and
until `STEADY` successive ones agree and none has differed for `QUIET` seconds. Of answers that
change as a coin does, that many agree once in 512 attempts. An alias that changes every few minutes
agrees as often in between: only the time since its last change shows that it has settled.

A retry, or an edit of the spec, makes the model leave its reference and join it again. What was
noted about the reference is therefore kept for `PERIOD` after its last model has left. Where that
is too many references, those of the namespace with the most are forgotten (R31). An operator that
starts knows nothing of it.
"""

from __future__ import annotations

from collections import deque

from canarium.sources.eviction import oldest_of_largest
from canarium.sources.shared_requests import Reference

#: Changes between successive answers that are usual within a period, and its seconds.
MOST_CHANGES, PERIOD = 5, 3600.0
#: Successive answers that have to agree to end it, and seconds without a change.
STEADY, QUIET = 10, PERIOD / MOST_CHANGES
#: References without models that are remembered, of all namespaces together.
MOST_FORMER = 1024


class Flapping:
    """The successive answers about one reference."""

    def __init__(self) -> None:
        self.active = False
        self._last: str | None = None
        self._agreeing = 0
        #: When the latest answers differed from those before.
        self._changes: deque[float] = deque(maxlen=MOST_CHANGES + 1)

    @property
    def changed(self) -> bool:
        """Whether the last answer differs from the one before."""
        return self._agreeing == 1

    @property
    def agrees(self) -> bool:
        """Whether enough successive answers agree, so that only time has to pass."""
        return self._agreeing >= STEADY

    @property
    def has_changes(self) -> bool:
        """Whether answers have differed since they were last steady."""
        return bool(self._changes)

    def note_first(self, uri: str, now: float) -> None:
        """Notes the answer that the record of a model needed, unless it agrees with the last one:
        many models may have got the same answer at once."""
        if self._last not in (None, uri):
            self.note(uri, now)

    def note(self, uri: str, now: float) -> None:
        """Notes an answer; `now` is in monotonic seconds."""
        if uri == self._last:
            self._agreeing += 1
        else:
            if self._last is not None:
                self._changes.append(now)
            self._last, self._agreeing = uri, 1
        if self.agrees and (not self._changes or now - self._changes[-1] >= QUIET):
            self.active = False
            self._changes.clear()
        elif len(self._changes) > MOST_CHANGES and now - self._changes[0] <= PERIOD:
            self.active = True


class FormerReferences:
    """What was noted about references that no model follows now, if their answers have changed.

    It is kept for `PERIOD`. Of more than `MOST_FORMER`, the namespace with the most loses one.
    """

    def __init__(self) -> None:
        #: When the last model left, and what was noted; in the order of leaving.
        self._kept: dict[Reference, tuple[float, Flapping]] = {}

    def keep(self, reference: Reference, flapping: Flapping, now: float) -> None:
        """Keeps what was noted about a reference whose last model leaves."""
        if not flapping.has_changes:
            return
        self._kept[reference] = (now, flapping)
        oldest, (left, _) = next(iter(self._kept.items()))
        if now - left > PERIOD:
            del self._kept[oldest]
        elif len(self._kept) > MOST_FORMER:
            del self._kept[oldest_of_largest(self._kept, lambda kept: kept.namespace)]

    def take(self, reference: Reference, now: float) -> Flapping:
        """Returns what was noted about a reference that a model joins, and keeps it no longer."""
        left, flapping = self._kept.pop(reference, (now, Flapping()))
        return flapping if now - left <= PERIOD else Flapping()
