"""Links of the published chart: to the files of its tag, not to those of `main`."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

from release.krew import HOME

_RAW = HOME.replace("https://github.com", "https://raw.githubusercontent.com")
_RELATIVE = re.compile(r"\]\((?![a-z]+:|#)([^)#\s]+)")
_README = "README.md"


def pin(chart: Path, folder: str, version: str) -> None:
    """Points every link in the chart's files to the tag of a version.

    `folder` is where the chart is in the repository, such as `charts/canarium`. A relative link in
    the README becomes an absolute one, because the README is shown outside the repository.
    """
    for path in sorted(chart.rglob("*")):
        if path.is_file():
            text = path.read_text()
            if path == chart / _README:
                text = _absolute(text, folder, version)
            path.write_text(pinned(text, version))


def pinned(text: str, version: str) -> str:
    """Returns a text whose links to `main` of the repository are links to the tag of a version."""
    for before, after in (
        (f"{HOME}/blob/main/", f"{HOME}/blob/v{version}/"),
        (f"{HOME}/tree/main/", f"{HOME}/tree/v{version}/"),
        (f"{_RAW}/main/", f"{_RAW}/v{version}/"),
    ):
        text = text.replace(before, after)
    return text


def _absolute(text: str, folder: str, version: str) -> str:
    def replaced(match: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(folder, match[1]))
        return f"]({HOME}/blob/v{version}/{target}"

    return _RELATIVE.sub(replaced, text)
