"""Detects what is stuck in this process, for the liveness probe."""

from __future__ import annotations

from collections.abc import Iterator

from canarium.engine.engine import Engine

#: Seconds of silence. A watch receives a bookmark about once a minute; a failing one shows activity
#: at each attempt, which is bounded by timeouts.
WATCH = 180.0
#: Seconds of one reconcile: a few writes, each bounded by a timeout, that may wait for the
#: throttle.
WORKER = 300.0
#: Seconds for which no worker takes a key that is due.
QUEUE = 120.0


def stuck(engine: Engine) -> Iterator[str]:
    """Yields what is stuck, one line each; nothing when the engine is healthy."""
    for name in engine.informers.ended():
        yield f"the {name} has ended"
    for reflector in engine.informers.reflectors():
        if (age := reflector.age()) > WATCH:
            yield f"the {reflector} has been silent for {age:.0f} s"
    slowest = engine.workers.slowest()
    if slowest and slowest[1] > WORKER:
        yield f"{'/'.join(slowest[0])} has been reconciling for {slowest[1]:.0f} s"
    if engine.workers.running and (starved_for := engine.queue.starved_for()) > QUEUE:
        yield f"no worker has taken a due key for {starved_for:.0f} s"
