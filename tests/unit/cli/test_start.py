"""What the program imports before it does anything: it starts with every command and every TAB."""

from __future__ import annotations

import subprocess
import sys

import pytest

from sweep import every

_PROGRAM = """
import sys
from canarium_cli.main import cli
try:
    cli.main(args={words!r}, prog_name="kubectl modeldeploy")
except SystemExit:
    pass
heavy = "pydantic", "yaml", "jinja2", "rich", "kopf", "kubernetes", "aiohttp", "asyncio", "orjson"
print("imported:", *(name for name in heavy if name in sys.modules))
"""


_VERBS = (
    "get",
    "why",
    "promote",
    "history",
    "diff",
    "record",
    "logs",
    "infer",
    "ship",
    "dashboard",
)


@pytest.mark.parametrize(
    "words", every([["--help"], ["--version"], *([x, "--help"] for x in _VERBS)])
)
def test_help_imports_nothing_heavy(words: list[str]) -> None:
    command = [sys.executable, "-c", _PROGRAM.format(words=words)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1].split() == ["imported:"], done.stdout


def test_help_of_the_program_does_not_even_import_what_starts_kubectl() -> None:
    code = _PROGRAM.replace('"orjson"', '"orjson", "subprocess", "json"')
    command = [sys.executable, "-c", code.format(words=["--help"])]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1].split() == ["imported:"], done.stdout


def test_every_verb_can_be_imported() -> None:
    from canarium_cli.main import VERBS, cli

    with cli.make_context("kubectl modeldeploy", ["--help"], resilient_parsing=True) as context:
        for name in VERBS:
            command = cli.get_command(context, name)
            assert command is not None
            assert command.help
