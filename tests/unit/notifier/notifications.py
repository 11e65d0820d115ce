"""Builders: models with transitions, and a sink that records what it receives."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from canarium.api.status.transition import Transition
from canarium.core.times import stamp
from canarium.notifier.notification import ModelTransitions, Notification
from canarium.notifier.sender import SendFailed

#: The first transition of every model, in POSIX seconds.
BEGAN = 1_800_000_000.0


def transition(number: int, kind: str = "WeightInEffect", **fields: Any) -> Transition:
    """The transition of second `number`."""
    return Transition(time=stamp(BEGAN + number), type=kind, message=f"message {number}", **fields)


def model(
    *numbers: int, uid: str = "u1", namespace: str = "risk", **labels: str
) -> ModelTransitions:
    """A model with the transitions of these seconds."""
    found = tuple(transition(number) for number in numbers)
    return ModelTransitions(namespace, f"model-{uid}", uid, 1, labels, found)


def number(notification: Notification) -> int:
    return int(notification.transition.message.split()[1])


class Receiver:
    """A sink; `fails(notification)` may return why it does not accept one now."""

    def __init__(self, fails: Callable[[Notification], SendFailed | None] | None = None) -> None:
        self.received: list[tuple[str, int]] = []
        self.attempts = 0
        self.concurrent = self.most = 0
        self._fails = fails or (lambda _: None)

    async def send(self, notification: Notification) -> None:
        self.attempts += 1
        self.concurrent += 1
        self.most = max(self.most, self.concurrent)
        await asyncio.sleep(0.01)
        self.concurrent -= 1
        failure = self._fails(notification)
        if failure:
            raise failure
        self.received.append((notification.uid, number(notification)))

    async def close(self) -> None:
        pass
