"""Questions to systems of users at gates of kind `web`, and their answers (R27).

The contract of an answer to the operator's POST:

- Status 202, or another 2xx with `"status": "pending"` in a JSON object: it is asked again.
- Another 2xx: it passes if the condition of the gate is met, or if there is none. With
  `"status": "rejected"`, `"denied"` or `"failed"`, or if the condition is not met, it is negative.
- Without a condition, a `status` with another text than those and the words for a success does
  not count: a result is only what is certain to be one.
- Anything else does not count, as an error of a query is not a verdict (R17): it is asked again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from canarium.api.gates import WebGate


class AnswerState(StrEnum):
    """What an answer means for its gate."""

    PASSED = "Passed"
    REJECTED = "Rejected"
    PENDING = "Pending"
    #: There is no usable answer.
    MISSING = "Missing"


@dataclass(frozen=True, slots=True)
class GateRequest:
    """What to ask about a revision at a gate.

    `facts` are the fields of the body, without those that name the model.
    """

    revision: str
    gate: str
    web: WebGate
    facts: tuple[tuple[str, Any], ...] = field(default=())


@dataclass(frozen=True, slots=True)
class GateAnswer:
    """The latest answer to a request. `by` is scheme and host of the system that was asked.

    `text` is the comment of a result, or why there is no usable answer, for `reason`.
    """

    request: GateRequest
    state: AnswerState
    by: str
    text: str = ""
    reason: str = ""
