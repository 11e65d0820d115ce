"""What a check of the cluster found."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum


class Level(StrEnum):
    """How serious a finding is; `problem` gives exit code 1."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence about one subject; `advice` is what to do, empty if all is well."""

    subject: str
    level: Level
    message: str
    advice: str = ""

    def json(self) -> dict[str, str]:
        """The finding for `-o json`."""
        return {key: str(value) for key, value in asdict(self).items()}


def ok(subject: str, message: str) -> Finding:
    return Finding(subject, Level.OK, message)


def warning(subject: str, message: str, advice: str) -> Finding:
    return Finding(subject, Level.WARNING, message, advice)


def problem(subject: str, message: str, advice: str) -> Finding:
    return Finding(subject, Level.PROBLEM, message, advice)


def unreadable(subject: str, what: str, why: str) -> Finding:
    """A check that the user's rights do not allow: it proves nothing."""
    text = f"Not checked: {what} cannot be read ({why.split('. ')[0].rstrip('.')})"
    return warning(subject, text, "Ask an administrator of the cluster to run doctor")
