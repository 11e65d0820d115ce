"""What all tests share: the path of the builders, and the options."""

import sys
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
    here = Path(__file__).parent
    for item in items:
        parents = {str(p.relative_to(here)) for p in item.path.parents if here in p.parents}
        if parents & SLOW:
            item.add_marker(pytest.mark.slow)


def pytest_configure(config: pytest.Config) -> None:
    from simulation import summary

    config.pluginmanager.register(summary)
