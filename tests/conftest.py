"""What all tests share: the path of their own builders, and the options."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--simulation",
        choices=("test", "nightly"),
        default="test",
        help="size of the simulation: bounded and derandomized, or long and at random",
    )


#: Folders whose tests start other programs (helm, emulators of clouds, a registry) or simulate.
SLOW = {"chart", "fetch", "judged", "process", "sandbox", "simulation", "supply"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents and item.path.relative_to(here).parts[0] in SLOW:
            item.add_marker(pytest.mark.slow)


def pytest_configure(config: pytest.Config) -> None:
    from simulation import summary

    config.pluginmanager.register(summary)
