"""The generated references list all that there is."""

from __future__ import annotations

import re

from canarium.api import reasons
from canarium_cli.exits import Exit
from canarium_cli.main import cli
from generators import commandline
from generators import reasons as reference


def test_every_enum_of_reasons_has_a_section() -> None:
    """Also one that `canarium.api.reasons` does not export."""
    assert {enum for _, enum, _ in reference.SECTIONS} == {*reasons.Reason.__subclasses__()}
    page = reference.page()
    for _, enum, _ in reference.SECTIONS:
        assert all(f"\n| `{word.value}` | {word.meaning} |" in page for word in enum)


def test_every_exit_code_is_in_the_reference_and_those_of_results_in_the_help() -> None:
    rows = re.findall(r"(?m)^\| (\d+) \| (.+) \|$", commandline.page())
    expected = [(str(code.value), code.meaning.replace("|", r"\|")) for code in Exit]
    assert rows == expected
    stated = re.findall(r"\b(\d+) [a-z]", (cli.help or "").partition("Exit codes:")[2])
    assert stated == [str(code.value) for code in Exit if code < Exit.INTERRUPTED]
