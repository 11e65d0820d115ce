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


def pytest_configure(config: pytest.Config) -> None:
    from simulation import summary

    config.pluginmanager.register(summary)
