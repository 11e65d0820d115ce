"""The Secret or ConfigMap because of which a check has no value, and what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ObjectProblem(StrEnum):
    """What is wrong with a Secret or a ConfigMap."""

    #: It does not exist.
    NOT_FOUND = "NotFound"
    #: The API server does not return it.
    UNREADABLE = "Unreadable"
    MISSING_KEY = "MissingKey"
    EMPTY = "Empty"
    NOT_TEXT = "NotText"
    #: A value that a header cannot contain.
    NOT_ONE_LINE = "NotOneLine"
    TOO_LONG = "TooLong"
    NOT_A_CERTIFICATE = "NotACertificate"


@dataclass(frozen=True, slots=True)
class FaultyObject:
    """What has to be corrected next. `key` is empty where the whole object is at fault."""

    kind: str
    name: str
    key: str
    problem: ObjectProblem
