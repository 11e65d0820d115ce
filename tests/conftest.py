"""What all tests share: the path of the builders, and the options."""

import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import pytest

for folder in (Path(__file__).parent, Path(__file__).parent / "unit"):
    sys.path.insert(0, str(folder))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--simulation",
        choices=("test", "nightly"),
        default="test",
        help="size of the simulation: bounded and derandomized, or long and at random",
    )


#: Folders and files whose tests start other programs (helm, emulators of clouds, a registry), start
#: and stop many processes, or simulate.
SLOW = {
    *("analysis", "chart", "sandbox", "simulation", "supply", "unit/fetch", "unit/host"),
    *("unit/evaluation/test_pool.py", "unit/signals/test_aws.py"),
}
#: Folders whose tests need an API server; their own `conftest.py` marks them.
API = {"analysis", "integration"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if _is_in(item.path, SLOW):
            item.add_marker(pytest.mark.slow)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Does not import tests to deselect them: that takes a third of the time to collect."""
    chosen = config.option.markexpr
    left_out = (SLOW if "not slow" in chosen else set()) | (API if "not api" in chosen else set())
    return True if _is_in(collection_path, left_out) else None


def _is_in(path: Path, folders: Iterable[str]) -> bool:
    place = _place(path)
    return any(place == folder or place.startswith(f"{folder}/") for folder in folders)


@cache
def _place(path: Path) -> str:
    here = Path(__file__).parent
    return path.relative_to(here).as_posix() if path.is_relative_to(here) else ""


def pytest_configure(config: pytest.Config) -> None:
    from simulation import summary

    config.pluginmanager.register(summary)
