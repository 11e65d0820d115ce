"""What the tests of the command line share."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.standin import Standin


@pytest.fixture
def kubectl(tmp_path: Path) -> Standin:
    """A kubectl without answers yet."""
    return Standin(tmp_path)
