"""What a rollout has granted its candidate, as stored in the traffic record (R12, R18).

Theory. The state of a rollout is a position, and what ended the pauses before it. The position is a
weight, never an index into a list that the user may edit: the weight that was granted last, its
pause, and, where several steps have the same weight, how many of their pauses are over. A weight is
granted in the write that moves traffic to it, or in an earlier one where scaling alone moves
traffic (router Service, while the selector covers both versions). So the recorded weight is never
below the one in effect, and a candidate whose status is lost continues at the recorded position.

A pause ends only on positive evidence: a command whose token is on the record, a duration that has
passed since the weight took effect, or a verdict. The operator can measure durations and verdicts
again, so they are kept in the status only: if it is lost, the clock of the pause restarts. A
command cannot be observed again, so its token is recorded before it acts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from canarium.api.effective_spec import MANUAL, Step
from canarium.api.status import CommandEcho, Progress
from canarium.core.times import parse, stamp

#: What ends a pause besides a command; the operator can observe those of `BY_ITSELF` again.
ELAPSED, PASSED, INSUFFICIENT, PROMOTION = "Elapsed", "Passed", "InsufficientData", "Promotion"
BY_ITSELF = (ELAPSED, PASSED, INSUFFICIENT)
PROMOTE = "Promote"
#: Number of command tokens on a record; older ones are on the ControllerRevision by then.
_ORDERS = 16


@dataclass(frozen=True, slots=True)
class Grant:
    """Position of one rollout, its commands, and the settings with which it started."""

    revision: str
    #: Granted weight in percent, and the weight in effect before it.
    weight: int = 0
    origin: int = 0
    #: When it was granted; RFC 3339.
    since: str | None = None
    #: Current pause, as `pause_text` writes it; None before the first step.
    pause: str | None = None
    #: `onInsufficientData` of the spec, where the step needs a verdict.
    analysis: str | None = None
    #: Number of earlier pauses at the same weight that are over.
    passed: int = 0
    #: Command that ended `pause`, or `Promotion` when no step is left.
    released: str | None = None
    #: Command that skips all remaining steps.
    full: str | None = None
    #: Commands that acted on this rollout, as `name/token`, oldest first.
    orders: tuple[str, ...] = ()
    strategy: str | None = None
    steps: tuple[Step, ...] = ()

    def to_text(self) -> str:
        """Returns the value of the annotation; fields without a value are left out."""
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
        """Parses the annotation; None where its value is not a grant."""
        try:
            parsed = json.loads(text or "null")
            return cls._from_json(parsed) if isinstance(parsed, dict) else None
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
            return None

    @classmethod
    def _from_json(cls, parsed: Mapping[str, Any]) -> Grant:
        def text(key: str) -> str | None:
            value = parsed.get(key)
            return value[:300] if isinstance(value, str) and value else None

        pause, since = text("pause"), text("since")
        if pause is not None:
            pause_of(pause)
        return cls(
            revision=str(parsed["revision"])[:63],
            weight=_percent(parsed["weight"]),
            origin=_percent(parsed.get("from", 0)),
            since=stamp(parse(since)) if since else None,
            pause=pause,
            analysis=text("analysis"),
            passed=min(max(int(parsed.get("passed", 0)), 0), 64),
            released=text("released"),
            full=text("full"),
            orders=tuple(str(x)[:300] for x in list(parsed.get("orders", ()))[-_ORDERS:]),
            strategy=text("strategy"),
            steps=tuple(
                Step(_percent(weight), pause_of(pause))
                for weight, pause in list(parsed.get("steps", ()))[:64]
            ),
        )


def intended_weight(progress: Progress) -> int:
    """Returns the percent that the candidate should have: in effect, or granted."""
    return max(progress.weight, progress.granted if progress.pause is not None else 0)


def token_of(command: CommandEcho) -> str:
    """Returns a command as the record stores it: `name/token`."""
    return f"{command.command}/{command.token}"


def pause_text(pause: float | None) -> str:
    """Returns a pause as record and status store it: `Manual`, or seconds such as `90s`."""
    return MANUAL if pause is None else f"{pause:.3f}".rstrip("0").rstrip(".") + "s"


def pause_of(text: str) -> float | None:
    """Returns the seconds of a pause in the form of `pause_text`; None if Manual. Raises
    ValueError."""
    if text == MANUAL:
        return None
    seconds = float(text.removesuffix("s"))
    if not 0 <= seconds < float("inf"):
        raise ValueError(text)
    return seconds


def _percent(value: Any) -> int:
    return min(max(int(value), 0), 100)
