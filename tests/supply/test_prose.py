"""The check of wording finds what it should, reads only prose, and names file, line and advice."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

from prose import docstrings, names, phrases, texts
from prose.__main__ import EXCLUDED, ROOT, files, main


def words(text: str) -> list[str]:
    return [match.words for match in phrases.matches(text)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("the reason is told", ["told"]),
        ("the body is no JSON", ["is no "]),
        ("it waits for ever", ["for ever"]),
        ("its pods are gone", ["gone"]),
        ("the version was taken\nback", ["taken back"]),
        ("a request of your own", ["of your own"]),
    ],
)
def test_banned_wording_is_found(text: str, found: list[str]) -> None:
    assert words(text) == found


@pytest.mark.parametrize(
    "text",
    [
        "there is no earlier version",
        "the revision is no longer served",
        "a Secret comes from the namespace of the model",
        "look up a runtime by its format",
        "the revision before it is promoted",
    ],
)
def test_plain_english_is_accepted(text: str) -> None:
    assert words(text) == []


def test_code_links_and_quotations_of_a_page_are_not_prose() -> None:
    page = 'one\n```sh\nsays told\n```\n`said` and [a page](told.md), "as it says"\nsays\n'
    assert [m.line for m in phrases.matches(texts.markdown(page))] == [5]


def test_comments_and_descriptions_of_yaml_are_prose() -> None:
    content = "# told\nkey: told\ndescription: told\n# @schema told\n"
    assert [number for number, text in texts.yaml_texts(content) if words(text)] == [1, 3]


def test_description_of_several_lines_and_comment_after_a_value_are_prose() -> None:
    content = "a: b # told\nspec:\n  description: >-\n    It is\n    told here.\n  other: told\n"
    assert [number for number, text in texts.yaml_texts(content) if words(text)] == [1, 5]


def test_quoted_description_is_prose() -> None:
    content = "description: \"It is told.\"\nsummary: 'It says so.'\n"
    assert [number for number, text in texts.yaml_texts(content) if words(text)] == [1, 2]


@pytest.mark.parametrize(
    ("read", "content", "lines"),
    [
        (texts.yaml_texts, "{{- /*\nIt is told.\n*/ -}}\n{{ told }}\nkey: told\n", [2]),
        (
            texts.html,
            "<p>\nIt is told {{ told }}.</p>{# told #}\n<b id='told'>{% said %}\n",
            [2, 2],
        ),
        (texts.script, "-- told\nlocal told = 'said'\nerror('it is told so', 0)\n", [1, 3]),
        (texts.script, "// told\nlet told; /* is\nsaid */ f(`it is told`, told)\n", [1, 3, 3]),
        (texts.hash_comments, "#!/bin/said\ntold=1 # told\n", [1, 2]),
    ],
    ids=["Helm", "HTML", "Lua", "JavaScript", "shell"],
)
def test_prose_of_other_languages_is_found(
    read: Callable[[str], Iterator[texts.Text]], content: str, lines: list[int]
) -> None:
    matches = [
        start + match.line for start, text in read(content) for match in phrases.matches(text)
    ]
    assert sorted(matches) == lines


def test_every_file_with_prose_is_checked_or_listed_as_an_exception() -> None:
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    checked = {path.relative_to(ROOT).as_posix() for path in files()}
    unchecked = [name for name in tracked if name not in checked and texts.is_readable(ROOT / name)]
    assert [n for n in unchecked if not any(fnmatch(n, pattern) for pattern in EXCLUDED)] == []


@pytest.mark.parametrize("name", ["Makefile", "Dockerfile", "operator/canarium/runtimes/vllm.yaml"])
def test_file_is_checked(name: str) -> None:
    assert ROOT / name in set(files())


def test_docstrings_and_messages_of_a_module_are_prose() -> None:
    module = '"""Says what it is."""\nTOLD = "told"\nprint(f"it is told {TOLD} now")\n'
    assert [number for number, text in texts.python(module) if words(text)] == [1, 3]


def test_comments_and_names_of_tests_are_prose() -> None:
    module = "x = 1  # said\n\n# It is\n# told\ndef test_it_goes_on_for_ever() -> None: ...\n"
    assert [number for number, text in texts.python(module) if words(text)] == [1, 3, 5]


@pytest.mark.parametrize(
    ("head", "found"),
    [
        ("def f():", True),
        ("async def f():", True),
        ("@property\n    def f(self):", False),
        ("@pytest.fixture\n    def f():", False),
    ],
)
def test_docstring_of_a_function_without_a_verb_is_found(head: str, found: bool) -> None:
    module = f'class A:\n    {head}\n        """The name of it."""\n'
    assert bool(list(docstrings.without_verb(module))) is found
    assert not list(docstrings.without_verb(module.replace("The", "Returns the")))


@pytest.mark.parametrize(
    "line",
    [
        "found = 1",
        "for told in (): ...",
        "self._kept, self._told = 1, 2",
        "with open(path) as found: ...",
        "f = lambda said: 1",
        "def judged(): ...",
        "class A:\n    asked: int = 0",
        "def f(*, taken=1): ...",
        "try: ...\nexcept OSError as found: ...",
        "import re as found",
        "if (made := f()): ...",
        "match f():\n    case [door]: ...",
    ],
)
def test_vague_name_is_refused_where_it_is_defined(line: str) -> None:
    assert len(list(names.vague(line))) == 1


@pytest.mark.parametrize(
    "line",
    ["not_found = error.found", "f(found=x.told)", 'd["said"] = "told"', "maker, founded = 1, 2"],
)
def test_name_that_contains_a_vague_word_is_accepted(line: str) -> None:
    assert not list(names.vague(line))


def test_tests_may_use_ordinary_words_but_no_private_ones() -> None:
    found = names.vague("said = 1\ntold = 2\ndef befall(): ...", names.WORDS_IN_TESTS)
    assert sorted(found) == [(2, "told"), (3, "befall")]


def test_folders_whose_names_are_checked_exist() -> None:
    assert [folder for folder in names.CHECKED if not list((ROOT / folder).rglob("*.py"))] == []


def test_problem_names_file_line_words_and_advice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Title\n\nThe operator says so.\n")
    assert main([str(page)]) == 1
    assert capsys.readouterr().out == (f'{page}:3: "says": write: reports, states, publishes\n')


def test_clean_file_prints_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.md"
    page.write_text("The operator reports the reason.\n")
    assert main([str(page)]) == 0
    assert capsys.readouterr().out == ""
