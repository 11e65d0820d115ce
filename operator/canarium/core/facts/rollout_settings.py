"""Strategy and steps of a rollout, as the record of its revision states them from the start (R12).

The traffic record has them from the first weight on (`core.facts.grant`), and the status always.
Without a weight and after the loss of the status, an edit of the strategy would otherwise be taken
for the strategy with which the rollout started.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from canarium.api.effective_spec import Step
from canarium.core.facts.grant import pause_of, pause_text

#: Annotation of the record, without the group.
ANNOTATION = "rollout-settings"


@dataclass(frozen=True, slots=True)
class RolloutSettings:
    """The settings of a rollout that an edit does not change while it lasts."""

    strategy: str
    steps: tuple[Step, ...] = ()

    def to_text(self) -> str:
        """Returns the value of the annotation."""
        steps = [[step.weight, pause_text(step.pause)] for step in self.steps]
        return json.dumps({"strategy": self.strategy, "steps": steps})


def settings_from_text(text: str | None) -> RolloutSettings | None:
    """Parses the annotation; None where its value is not one."""
    try:
        parsed = json.loads(text or "null")
        return RolloutSettings(str(parsed["strategy"])[:63], tuple(_steps(parsed["steps"])))
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None


def _steps(pairs: Iterable[tuple[int, str]]) -> Iterable[Step]:
    for weight, pause in list(pairs)[:64]:
        yield Step(min(max(int(weight), 0), 100), pause_of(pause))
