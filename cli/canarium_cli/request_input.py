"""Body and headers of a request, from the command line or from files."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

from canarium_cli.exits import usage


def body_of(path: str) -> str:
    """Returns the JSON body in a file; `-` is standard input. Raises CliError where it is not."""
    body = _read(path, "a file with a JSON body")
    try:
        json.loads(body, parse_constant=no_constant)
    except ValueError as error:
        raise usage(f"{path} is not valid JSON: {error}. Correct it.") from None
    except RecursionError:
        raise usage(f"{path} is not a usable JSON body: it is nested too deeply.") from None
    return body


def headers_of(words: str) -> Iterator[tuple[str, str]]:
    """Yields the header `NAME:VALUE`, or those in the lines of a file `@FILE`.

    Raises CliError for what is not a header; of a file, it names the line but does not repeat it.
    """
    if not words.startswith("@"):
        yield _header(words, repr(words))
        return
    path = words.removeprefix("@")
    for number, line in enumerate(_read(path, "a file of headers").splitlines(), 1):
        if line.strip():
            yield _header(line, f"Line {number} of {path}")


def _header(words: str, shown: str) -> tuple[str, str]:
    name, colon, value = words.partition(":")
    if not (colon and name.strip() and words.isprintable() and words.isascii()):
        raise usage(f"{shown} is not a header such as 'x-canarium-revision: candidate'.")
    return name.strip(), value.strip()


def _read(path: str, what: str) -> str:
    try:
        return sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise usage(f"{path} is not UTF-8 text. Pass {what}.") from None
    except OSError as error:
        raise usage(
            f"Cannot read {path}: {error.strerror}. Pass {what}, or - for standard input."
        ) from None


def no_constant(word: str) -> None:
    """Refuses what Python's parser accepts beyond JSON. Raises ValueError."""
    raise ValueError(f"{word} is not a JSON value")
