"""Why an evaluation has no result, as reasons that decisions may depend on (R30)."""

from __future__ import annotations

from enum import StrEnum


class ErrorReason(StrEnum):
    #: The answer was evaluated, and it is not what was expected.
    UNEXPECTED = "Unexpected"
    #: The answer cannot be parsed.
    UNREADABLE = "InvalidAnswer"
    #: The expression itself is wrong, for any answer.
    INVALID = "InvalidTest"
    #: The evaluation used more CPU time or memory than it may.
    LIMIT = "EvaluationLimit"
    #: The answer is longer than what is evaluated.
    TOO_LARGE = "AnswerTooLarge"
    #: A metrics page has more series of the metrics in question than are read.
    TOO_MANY_SERIES = "TooManySeries"
    #: The operator could not evaluate it: no worker process started, or none had time for it.
    UNAVAILABLE = "EvaluationUnavailable"


class EvaluationError(Exception):
    """There is no result; the message states why."""

    def __init__(self, reason: ErrorReason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
