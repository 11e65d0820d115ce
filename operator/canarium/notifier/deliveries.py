"""Delivers to one sink until it is stopped: a few at a time, with backoff, in order per model."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta

from canarium.api.base import seconds
from canarium.api.status.transition import KEPT
from canarium.core.times import parse, stamp
from canarium.kube.clock import Timing
from canarium.notifier.metrics import NotifierMetrics
from canarium.notifier.notification import ModelTransitions, Notification
from canarium.notifier.outbox import Outbox
from canarium.notifier.sender import Sender, SendFailed
from canarium.notifier.settings import Sink
from canarium.telemetry import log_context

log = logging.getLogger(__name__)
#: Deliveries to one sink at once.
CONCURRENT = 4
#: Seconds between two attempts; they double from the first to the last.
_SHORTEST, _LONGEST = 1.0, 300.0


class Deliveries:
    """One sink: what it has not received, and the tasks that deliver it."""

    def __init__(
        self,
        sink: Sink,
        sender: Sender,
        outbox: Outbox,
        metrics: NotifierMetrics,
        timing: Timing | None = None,
    ) -> None:
        self.sink, self._sender, self.outbox = sink, sender, outbox
        self._metrics = metrics
        self._timing = timing or Timing()
        self._retry_for = seconds(sink.retry_for)
        self._news = asyncio.Event()
        #: Whether something was delivered or dropped since the cursors were last stored.
        self.changed = False
        #: Monotonic seconds before which the sink is not tried, and how often it was not reached.
        self._retry_at, self._failures = 0.0, 0
        #: Models whose delivery failed since the last one that succeeded, by UID.
        self._unreached: set[str] = set()
        self._overflowed = 0

    def observe(self, model: ModelTransitions, before: ModelTransitions | None = None) -> None:
        """Queues what the sink has not received of a model; `before` is the model as last seen."""
        self._count_lost(model, before)
        matching = [n for n in model.notifications() if n.is_for(self.sink)]
        self.outbox.observe(model.uid, matching)
        lost = self.outbox.overflowed - self._overflowed
        if lost:
            self._overflowed = self.outbox.overflowed
            self._metrics.dropped(self.sink.name, "Overflow", lost)
        self._news.set()

    def _count_lost(self, model: ModelTransitions, before: ModelTransitions | None) -> None:
        """Counts a gap once: the queue of a notifier that has ended is lost, and the status keeps
        only the last transitions."""
        shown = before.transitions if before else ()
        moment = shown[-1].time if shown else self.outbox.received(model.uid)
        if not model.lacks_after(moment) or not model.is_for(self.sink):
            return
        self._metrics.dropped(self.sink.name, "Overflow")
        log.error(
            "sink %s: %s/%s: transitions between %s and %s may be lost: the status keeps the last "
            "%d, and the notifier restarted before they were delivered, or did not see them",
            self.sink.name,
            model.namespace,
            model.name,
            moment,
            model.transitions[0].time,
            KEPT,
        )

    async def run(self) -> None:
        """Delivers until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(CONCURRENT):
                group.create_task(self._deliver())

    async def _deliver(self) -> None:
        while True:
            self._news.clear()
            now = self._timing.clock()
            blocked = self._retry_at - now
            notification = self.outbox.take(now) if blocked <= 0 else None
            if notification is None:
                await self._idle(blocked if blocked > 0 else self.outbox.next_retry(now))
                continue
            log_context.about(notification.namespace, notification.name)
            await self._attempt(notification)

    async def _idle(self, longest: float | None) -> None:
        """Waits for something to deliver, at most `longest` seconds (None: no limit)."""
        try:
            async with asyncio.timeout(longest):
                await self._news.wait()
        except TimeoutError:
            return

    async def _attempt(self, notification: Notification) -> None:
        name = self.sink.name
        began = self._timing.clock()
        try:
            await self._sender.send(notification)
        except SendFailed as failure:
            self._failed(notification, failure)
            return
        except Exception as error:
            # An error that no sender expects holds up this model alone. Its text may be secret.
            log.debug("sink %s", name, exc_info=True)
            unexpected = SendFailed(f"unexpected error: {type(error).__name__}", refused=True)
            self._failed(notification, unexpected)
            return
        except BaseException:
            self.outbox.postponed(notification)
            raise
        now = self._timing.now()
        self._failures = 0
        self._unreached.clear()
        self._done(notification)
        self._metrics.delivered(
            name, self._timing.clock() - began, now - parse(notification.transition.time)
        )

    def _failed(self, notification: Notification, failure: SendFailed) -> None:
        name, transition = self.sink.name, notification.transition
        age = self._timing.now() - parse(transition.time)
        self._metrics.failed(name, "Refused" if failure.refused else "Unreachable")
        about = f"{notification.namespace}/{notification.name}: {transition.type}"
        if age > self._retry_for:
            log.error(
                "sink %s: %s dropped after %s: %s",
                name,
                about,
                timedelta(seconds=int(age)),
                failure,
            )
            self._metrics.dropped(name, "Expired")
            self._done(notification)
            return
        now = self._timing.clock()
        if not failure.refused:
            self._unreached.add(notification.uid)
        alone = len(self._unreached) == 1 and failure.retry_after is None
        if failure.refused or alone:
            # Most services answer a notification that they cannot take like an error of the
            # service. One model alone, such as with a text that is too long, must not delay others.
            failures = self.outbox.failures(notification) + 1
            wait = self._wait(failures, failure.retry_after)
            self.outbox.failed(notification, now + wait)
        else:
            self.outbox.postponed(notification)
            if self._retry_at <= now:
                self._failures += 1
                wait = self._wait(self._failures, failure.retry_after)
                self._retry_at = now + wait
            wait = self._retry_at - now
        log.warning(
            "sink %s: %s not delivered, next attempt in %.0f s: %s", name, about, wait, failure
        )
        self._news.set()

    def _wait(self, failures: int, requested: float | None) -> float:
        """Returns the seconds until the next attempt after `failures` of them."""
        doubled = min(_SHORTEST * 2 ** min(failures - 1, 20), _LONGEST)
        return max(self._timing.jitter(doubled), requested or 0.0)

    def _done(self, notification: Notification) -> None:
        self.outbox.done(notification)
        self.changed = True

    def forget_before(self, moment: float) -> None:
        """Lets cursors older than `moment` (POSIX seconds) go."""
        before = self.outbox.since
        self.outbox.forget_before(stamp(moment))
        self.changed = self.changed or self.outbox.since != before

    async def close(self) -> None:
        """Closes the connections to the sink."""
        await self._sender.close()
