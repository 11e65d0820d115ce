"""What all tests share: the path of the builders, and the options."""

import sys
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


#: Folders whose tests start other programs (helm, emulators of clouds, a registry) or simulate.
SLOW = {"analysis", "chart", "sandbox", "simulation", "supply", "unit/fetch", "unit/host"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if _is_slow(item.path):
            item.add_marker(pytest.mark.slow)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Does not import slow tests to deselect them: that takes a third of the time to collect."""
    return True if "not slow" in config.option.markexpr and _is_slow(collection_path) else None


@cache
def _is_slow(path: Path) -> bool:
    here = Path(__file__).parent
    return any(path.is_relative_to(here / folder) for folder in SLOW)


def pytest_configure(config: pytest.Config) -> None:
    from simulation import summary

    config.pluginmanager.register(summary)
