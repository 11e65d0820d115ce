"""A real node with the operator in it, installed by helm as users install it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from sandbox import Mode, Options, Sandbox
from story.images import operator_image, server_images
from story.install import install
from story.model import World

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.e2e)


@pytest.fixture(scope="session")
def node() -> Iterator[Sandbox]:
    if os.geteuid() != 0:
        pytest.skip("a real node needs root")
    options = Options(name=f"e2e-{os.getpid()}", mode=Mode.NATIVE, owner=os.getpid())
    with Sandbox.up(options) as sandbox:
        sandbox.load([operator_image(), *server_images()])
        install(sandbox)
        yield sandbox


@pytest.fixture
def world(node: Sandbox, request: pytest.FixtureRequest) -> Iterator[World]:
    """A namespace with one model that a client asks all the time."""
    name = request.node.name.split("[")[0].replace("_", "-")[:40].strip("-")
    world = World(node, name)
    try:
        yield world
    finally:
        world.end()
