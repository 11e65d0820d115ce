"""Whether the answers about a followed reference flap (R26).

Two successive answers that agree are evidence enough for a reference that moves now and then. They
are not for one whose answers change back and forth without end, such as an alias that two pipelines
contend for, or a registry with a replica that lags behind: by chance, two agree every few requests,
and each time another rollout would start.

A reference flaps once its answers have changed more than `MOST_CHANGES` times within `PERIOD`, and
until `STEADY` successive ones agree. Of answers that change as a coin does, that many agree once in
512 attempts.
"""

from __future__ import annotations

from collections import deque

#: Changes between successive answers that are usual within a period, and its seconds.
MOST_CHANGES, PERIOD = 5, 3600.0
#: Successive answers that have to agree to end it.
STEADY = 10


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

    def note(self, uri: str, now: float) -> None:
        """Notes an answer; `now` is in monotonic seconds."""
        if uri == self._last:
            self._agreeing += 1
        else:
            if self._last is not None:
                self._changes.append(now)
            self._last, self._agreeing = uri, 1
        if self._agreeing >= STEADY:
            self.active = False
            self._changes.clear()
        elif len(self._changes) > MOST_CHANGES and now - self._changes[0] <= PERIOD:
            self.active = True
