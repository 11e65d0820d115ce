"""What the tests of the command line share."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.standin import Standin


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, which is empty: verbs such as `report` write to it."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def kubectl(tmp_path: Path) -> Standin:
    """A kubectl without answers yet."""
    return Standin(tmp_path)
