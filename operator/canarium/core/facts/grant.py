"""What a rollout has granted its candidate, as the traffic record keeps it (R12, R18).

Theory. A rollout is a position and what ended the pauses before it. The position is a weight, never
an index into a list that the user may edit: the weight that was granted last, the pause under which
it stands, and, where several steps have the same weight, how many of their pauses are over. A
weight is granted in the write that moves traffic to it, or in one before it where scaling alone
moves traffic (router Service, while one selector covers both versions). So the record never says
less than what is in effect, and a candidate whose status is lost stands where the record says.

A pause is over on positive evidence only: a command whose token is on the record, a duration that
has passed since the weight took effect, or a verdict. Durations and verdicts are evidence that the
operator can gather again, so only the status keeps them: when it is lost, the clock of the pause
starts anew. A command cannot be gathered again, so its token is on the record before it acts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from canarium.api.effective_spec import MANUAL, Step
from canarium.api.status import CommandEcho, Progress
from canarium.core.times import parse, stamp

#: What ends a pause besides a command; those of `BY_ITSELF` can be seen again.
ELAPSED, PASSED, INSUFFICIENT, PROMOTION = "Elapsed", "Passed", "InsufficientData", "Promotion"
BY_ITSELF = (ELAPSED, PASSED, INSUFFICIENT)
PROMOTE = "Promote"
#: Tokens of commands that a record keeps; older ones are on the ControllerRevision by then.
_ORDERS = 16


@dataclass(frozen=True, slots=True)
class Grant:
    """The position of one rollout, its orders, and the settings that it began with."""

    revision: str
    #: Percent that was granted, and what was in effect before that.
    weight: int = 0
    origin: int = 0
    #: When it was granted; RFC 3339.
    since: str | None = None
    #: The pause under which it stands, as `pause_text` writes it; None before the first step.
    pause: str | None = None
    #: What happens without a verdict, where the step needs one: spec's onInsufficientData.
    analysis: str | None = None
    #: Pauses of this weight that were over before `pause`.
    passed: int = 0
    #: The command that ended `pause`, or `promotion` when no step is left.
    released: str | None = None
    #: The command that skips all steps left.
    full: str | None = None
    #: Commands that acted on this rollout, as `name/token`, oldest first.
    orders: tuple[str, ...] = ()
    strategy: str | None = None
    steps: tuple[Step, ...] = ()

    def to_text(self) -> str:
        """The grant as an annotation holds it; fields without a value are left out."""
        facts = {
            "revision": self.revision,
            "weight": self.weight,
            "from": self.origin,
            "since": self.since,
            "pause": self.pause,
            "analysis": self.analysis,
            "passed": self.passed,
            "released": self.released,
            "full": self.full,
            "orders": list(self.orders[-_ORDERS:]),
            "strategy": self.strategy,
            "steps": [[step.weight, pause_text(step.pause)] for step in self.steps],
        }
        return json.dumps({key: value for key, value in facts.items() if value or key == "weight"})

    @classmethod
    def from_text(cls, text: str | None) -> Grant | None:
        """Reads an annotation; None where somebody else wrote something into it."""
        try:
            found = json.loads(text or "null")
            return cls._read(found) if isinstance(found, dict) else None
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
            return None

    @classmethod
    def _read(cls, found: Mapping[str, Any]) -> Grant:
        def text(key: str) -> str | None:
            value = found.get(key)
            return value[:300] if isinstance(value, str) and value else None

        pause, since = text("pause"), text("since")
        if pause is not None:
            pause_of(pause)
        return cls(
            revision=str(found["revision"])[:63],
            weight=_percent(found["weight"]),
            origin=_percent(found.get("from", 0)),
            since=stamp(parse(since)) if since else None,
            pause=pause,
            analysis=text("analysis"),
            passed=min(max(int(found.get("passed", 0)), 0), 64),
            released=text("released"),
            full=text("full"),
            orders=tuple(str(x)[:300] for x in list(found.get("orders", ()))[-_ORDERS:]),
            strategy=text("strategy"),
            steps=tuple(
                Step(_percent(weight), pause_of(pause))
                for weight, pause in list(found.get("steps", ()))[:64]
            ),
        )


def intended_weight(progress: Progress) -> int:
    """The percent that the candidate is meant to have: in effect, or about to be."""
    return max(progress.weight, progress.granted if progress.pause is not None else 0)


def token_of(command: CommandEcho) -> str:
    """Returns a command as the record keeps it."""
    return f"{command.command}/{command.token}"


def pause_text(pause: float | None) -> str:
    """A pause as record and status keep it: `Manual`, or seconds such as `90s`."""
    return MANUAL if pause is None else f"{pause:.3f}".rstrip("0").rstrip(".") + "s"


def pause_of(text: str) -> float | None:
    """Reads what `pause_text` wrote. ValueError when it is something else."""
    if text == MANUAL:
        return None
    seconds = float(text.removesuffix("s"))
    if not 0 <= seconds < float("inf"):
        raise ValueError(text)
    return seconds


def _percent(value: Any) -> int:
    return min(max(int(value), 0), 100)
