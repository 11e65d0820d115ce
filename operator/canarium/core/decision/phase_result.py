"""A plan in the making: what a row of the table decided, before status and tidying are added."""

from __future__ import annotations

from dataclasses import dataclass

from canarium.api.status import Failure, Hold, Outcome, Progress
from canarium.core.decision.plan import Action, Event
from canarium.core.facts.observed import Rejection


@dataclass(frozen=True)
class Draft:
    """What one row decided. `requeue_after` is in seconds."""

    message: str
    actions: tuple[Action, ...] = ()
    events: tuple[Event, ...] = ()
    requeue_after: float | None = None
    progress: Progress | None = None
    #: Outages of stable in this bake.
    outages: int = 0
    hold: Hold | None = None
    failure: Failure | None = None
    stable: str | None = None
    candidate: str | None = None
    previous: str | None = None
    bake_since: str | None = None
    outcome: Outcome | None = None
    reason: str = ""
    phase: str | None = None
    #: Callers are still led to the version that has failed.
    carrying: bool = False
    #: The refusal that the message is about already.
    refusal: Rejection | None = None
