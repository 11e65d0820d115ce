"""How urgent a key is."""

from __future__ import annotations

from enum import IntEnum


class Urgency(IntEnum):
    """Lower is sooner."""

    #: A pod or a check failed: this may be a rollback.
    FAULT = 0
    #: The spec or a child changed.
    CHANGE = 1
    RESYNC = 2
    #: Nothing depends on it, such as an Event or the deletion of unused pods.
    IDLE = 3


#: Seconds after which a key of that urgency is overdue. Faults never are: nothing is before them.
PATIENCE = {Urgency.CHANGE: 10.0, Urgency.RESYNC: 30.0, Urgency.IDLE: 30.0}
