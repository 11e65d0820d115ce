"""What one sink has not received yet: a state machine without I/O.

Per model, notifications are delivered oldest first, one at a time. Models take turns, so one with
many transitions delays no other.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from canarium.notifier.notification import Notification

#: Maximum number of undelivered notifications of one model; the oldest are dropped.
LIMIT = 256
#: Characters of a time up to its hour: `2026-01-01T00`.
_HOUR = 13


@dataclass(slots=True)
class _Model:
    waiting: deque[Notification] = field(default_factory=deque)
    #: Time of the newest notification that was queued, as in its transition.
    seen: str = ""
    in_flight: bool = False
    #: Monotonic seconds before which none is tried again.
    retry_at: float = 0.0
    failures: int = 0


class Outbox:
    """Undelivered notifications of one sink.

    `delivered` has the time of the last delivered transition by the model's UID; a model that is
    not in it has received everything up to `since` (both RFC 3339 in UTC with milliseconds, which
    order as text).
    """

    def __init__(self, since: str, delivered: dict[str, str]) -> None:
        self.since = since
        self.delivered = delivered
        self._models: dict[str, _Model] = {}
        self._turn: deque[str] = deque()
        #: How many notifications were dropped because of `LIMIT`.
        self.overflowed = 0

    def __len__(self) -> int:
        return sum(len(model.waiting) for model in self._models.values())

    @property
    def oldest(self) -> str | None:
        """The time of the oldest undelivered transition; None without any."""
        times = (m.waiting[0].transition.time for m in self._models.values() if m.waiting)
        return min(times, default=None)

    def received(self, uid: str) -> str:
        """Returns the time up to which the transitions of a model are delivered or queued."""
        known = self._models.get(uid)
        return max(self.delivered.get(uid, self.since), known.seen if known else "")

    def observe(self, uid: str, notifications: Iterable[Notification]) -> None:
        """Queues those of a model (oldest first) that are new."""
        after = self.received(uid)
        new = [n for n in notifications if n.transition.time > after]
        if not new:
            return
        model = self._models.setdefault(uid, _Model())
        if not model.waiting:
            self._turn.append(uid)
        model.seen = new[-1].transition.time
        model.waiting.extend(new)
        while len(model.waiting) > LIMIT:
            # The one in flight, if any, is the first; dropping it is decided by its delivery.
            del model.waiting[1 if model.in_flight else 0]
            self.overflowed += 1

    def take(self, now: float) -> Notification | None:
        """Returns the next notification to deliver at `now` (monotonic seconds), if any. It is in
        flight until `done`, `failed` or `postponed`."""
        for _ in range(len(self._turn)):
            uid = self._turn.popleft()
            model = self._models[uid]
            self._turn.append(uid)
            if model.waiting and not model.in_flight and model.retry_at <= now:
                model.in_flight = True
                return model.waiting[0]
        return None

    def next_retry(self, now: float) -> float | None:
        """Returns the seconds until a notification can be taken that cannot now; None without."""
        waits = [
            model.retry_at - now
            for model in self._models.values()
            if model.waiting and not model.in_flight and model.retry_at > now
        ]
        return min(waits, default=None)

    def done(self, notification: Notification) -> None:
        """Marks a notification as delivered, or as dropped for good."""
        uid = notification.uid
        model = self._models[uid]
        model.waiting.popleft()
        model.in_flight, model.failures, model.retry_at = False, 0, 0.0
        self.delivered[uid] = notification.transition.time
        if not model.waiting:
            # What was seen is what was delivered, so nothing needs to be kept.
            del self._models[uid]
            self._turn.remove(uid)

    def failures(self, notification: Notification) -> int:
        """Returns how often a notification was refused."""
        return self._models[notification.uid].failures

    def failed(self, notification: Notification, retry_at: float) -> None:
        """Keeps a notification that the sink refused until `retry_at` (monotonic seconds)."""
        model = self._models[notification.uid]
        model.in_flight, model.retry_at = False, retry_at
        model.failures += 1

    def postponed(self, notification: Notification) -> None:
        """Keeps a notification that was not refused itself: the sink was not reached."""
        self._models[notification.uid].in_flight = False

    def forget_before(self, moment: str) -> None:
        """Moves `since` to `moment` and drops what that makes redundant, unless an older
        transition is undelivered."""
        oldest = self.oldest
        if moment <= self.since or (oldest is not None and oldest <= moment):
            return
        # `since` moves on also without anything to drop, so that a model which matches the sink
        # only from now on is not reported with its past: once an hour, because it is stored then.
        same_hour = moment[:_HOUR] == self.since[:_HOUR]
        if same_hour and all(time > moment for time in self.delivered.values()):
            return
        self.since = moment
        self.delivered = {uid: time for uid, time in self.delivered.items() if time > moment}
