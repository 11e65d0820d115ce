"""What is stuck in this process: what the liveness probe asks."""

from __future__ import annotations

from collections.abc import Iterator

from canarium.engine.engine import Engine

#: A watch gives a sign of life about once a minute (a bookmark), a failing one at each attempt,
#: and an attempt takes at most its timeouts.
WATCH = 180.0
#: A reconcile is a few writes, each bounded by a timeout, and may wait for its turns.
WORKER = 300.0
#: Ten workers that do not take what is due are not at work.
QUEUE = 120.0


def stuck(engine: Engine) -> Iterator[str]:
    """What does not get on, in words; nothing when all is well."""
    for name in engine.informers.ended():
        yield f"the {name} has ended"
    for reflector in engine.informers.reflectors():
        if (age := reflector.age()) > WATCH:
            yield f"the {reflector} has given no sign of life for {age:.0f} s"
    slowest = engine.workers.slowest()
    if slowest and slowest[1] > WORKER:
        yield f"{'/'.join(slowest[0])} has been worked on for {slowest[1]:.0f} s"
    if engine.workers.running and (untaken := engine.queue.untaken()) > QUEUE:
        yield f"no worker has taken what is due for {untaken:.0f} s"
