"""Each `kubectl modeldeploy …` within a sentence has a verb, options and arguments that exist.

Blocks of commands are run (`test_documented_commands`); code within a sentence is only parsed.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from canarium_cli.main import cli

ROOT = Path(__file__).parents[2]
INLINE = re.compile(r"`kubectl\s+modeldeploy\s+([^`]+)`")
PAGES = (
    ROOT / "README.md",
    ROOT / "cli" / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "examples").rglob("*.md")),
    *sorted((ROOT / "charts").rglob("*.md")),
    *sorted((ROOT / "charts").rglob("NOTES.txt")),
    *sorted((ROOT / "charts").rglob("values.yaml")),
)


def words_of(text: str) -> list[list[str]]:
    """The words of each command within the sentences of a page, up to a pipe or a redirection."""
    joined = re.sub(r"\n *# ", " ", text)  # a sentence may be a comment of several lines
    return [shlex.split(re.split(r"\s[|>]\s", code)[0]) for code in INLINE.findall(joined)]


def parse(words: list[str]) -> None:
    """Parses as click does, without types and required arguments: sentences leave some out."""
    if words[0] == "VERB":  # stands for any of them
        return
    command: click.Command = cli
    while isinstance(command, click.Group):
        context = click.Context(command)
        name, found, words = command.resolve_command(context, words)
        assert found is not None, name
        command = found
        if not words:
            return
    _, rest, _ = command.make_parser(click.Context(command)).parse_args(list(words))
    assert not rest, f"{command.name} has no argument {rest}"


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_commands_within_sentences_exist_with_their_options(page: Path) -> None:
    for words in words_of(page.read_text()):
        parse(words)


@pytest.mark.parametrize("code", ["lint -f model.yaml", "lints model.yaml", "why fraud other more"])
def test_command_that_does_not_exist_is_reported(code: str) -> None:
    (words,) = words_of(f"So `kubectl modeldeploy {code}` was written.")
    with pytest.raises((click.UsageError, AssertionError)):
        parse(words)


def test_sentences_with_commands_are_read() -> None:
    assert sum(len(words_of(page.read_text())) for page in PAGES) > 100
