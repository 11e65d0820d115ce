"""Refuses banned wordings and names: `python -m prose [FILE…]`, by default all files of the scope.

Prints `file:line: "words": advice` for each, and exits 1 when there is one.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

from prose import docstrings, names, phrases, texts

ROOT = Path(__file__).resolve().parents[2]
#: What is checked: every folder and file at the top that people read, except `EXCLUDED`.
FOLDERS = (
    ".github",
    "argocd",
    "bench",
    "changes",
    "charts",
    "cli",
    "crds",
    "demo",
    "dev",
    "docs",
    "e2e",
    "examples",
    "operator",
    "sandbox",
    "tests",
)
TOP = ("*.md", "*.py", "*.toml", "*.yml", ".*.yaml", "Dockerfile", "Makefile")
#: Where the docstring of a function begins with a verb.
DOCUMENTED = "operator/*.py"
#: Files without prose of this project, and two that contain the banned wordings as data.
EXCLUDED = (
    "dev/prose/phrases.py",
    "tests/supply/test_prose.py",
    # Expected output, which tests compare with texts that are checked where they are written.
    "tests/golden/*",
    "tests/*/objects/*",
    # Written by tests, or by other projects.
    "argocd/*/testdata/*",
    "bench/results/*",
    "*/__pycache__/*",
    "*.egg-info/*",
    "*/licenses/*",
    "requirements/*",
)


def files() -> Iterator[Path]:
    """Yields every file that is checked."""
    names = [path for pattern in TOP for path in sorted(ROOT.glob(pattern))]
    for folder in FOLDERS:
        names += sorted(path for path in (ROOT / folder).rglob("*") if texts.is_readable(path))
    for path in names:
        name = path.relative_to(ROOT).as_posix()
        if not any(fnmatch(name, pattern) for pattern in EXCLUDED):
            yield path


def problems(path: Path) -> Iterator[str]:
    """Yields a line for each banned wording or name in a file."""
    name = path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else str(path)
    for start, text in texts.texts(path):
        for match in phrases.matches(text):
            yield f'{name}:{start + match.line}: "{match.words}": {match.advice}'
    if fnmatch(name, DOCUMENTED):
        for line, word in docstrings.without_verb(path.read_text()):
            yield f'{name}:{line}: "{word}": {docstrings.ADVICE}'
    if path.suffix == ".py":
        is_checked = name.startswith(tuple(f"{folder}/" for folder in names.CHECKED))
        words = names.WORDS if is_checked else names.WORDS_IN_TESTS
        for line, word in names.vague(path.read_text(), words):
            yield f'{name}:{line}: "{word}": {names.ADVICE}'


def main(arguments: list[str]) -> int:
    """Checks the files; the exit code."""
    paths = [Path(name).resolve() for name in arguments] or list(files())
    lines = [line for path in paths for line in problems(path)]
    print("\n".join(lines), end="\n" if lines else "")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
