"""The cases: for each a fault that was fixed, the edit that brings it back, and its tests."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
FILE = Path(__file__).with_name("cases.yaml")
_LABEL = re.compile(r"[A-Z]\d{1,2}")


class CaseInvalid(ValueError):
    """A case does not match the sources; the text names it and the reason."""


@dataclass(frozen=True, slots=True)
class Case:
    """One fault: in `file`, `text` becomes `instead`; one of `tests` (for pytest) fails.

    `file` may be a folder: then the text is in one of the modules below it, which may move.
    """

    fault: str
    file: str
    text: str
    instead: str
    tests: tuple[str, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that its name begins with: rows of the catalogue, or a rule."""
        return tuple(takewhile(_LABEL.fullmatch, self.fault.split()))

    def place(self) -> Path:
        """Returns the file that has the text. Raises CaseInvalid unless it is one alone."""
        path = ROOT / self.file
        if not path.is_dir():
            return path
        files = [file for file in sorted(path.rglob("*.py")) if self.text in file.read_text()]
        if len(files) != 1:
            raise CaseInvalid(f"{self.fault}: {len(files)} files in {self.file} have its text")
        return files[0]

    def apply(self, source: str) -> str:
        """Returns `source` with the fault. Raises CaseInvalid unless `text` is there once."""
        count = source.count(self.text)
        if count != 1:
            raise CaseInvalid(f"{self.fault}: {self.file} has its text {count} times")
        return source.replace(self.text, self.instead)


def load(path: Path = FILE) -> list[Case]:
    """Returns all cases in the order of the file."""
    return [_case(body) for body in yaml.safe_load(path.read_text())]


def _case(body: dict[str, Any]) -> Case:
    return Case(
        fault=body["fault"],
        file=body["file"],
        text=body["text"],
        instead=body["instead"] or "",
        tests=tuple(body["tests"].split()),
    )
