"""What is wrong in a file: where it stands, the field, and what is right."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How serious a finding is, with the words of SARIF."""

    #: The API server or the operator rejects it.
    ERROR = "error"
    #: It is accepted, and probably not what is meant.
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault. `rule` is an identifier of `lint.rules`; lines and columns count from 1."""

    file: str
    line: int
    column: int
    level: Level
    rule: str
    message: str
    #: Field path, such as spec.rollout.steps[0].weight; empty for a whole document.
    path: str = ""
    #: The object, such as ModelDeployment/fraud; empty where there is none.
    object: str = ""

    def __str__(self) -> str:
        field = f"{self.path}: " if self.path else ""
        return f"{self.file}:{self.line}:{self.column}: {field}{self.message}"
