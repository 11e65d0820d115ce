"""A real node with the operator in it, installed by helm as users install it."""

from __future__ import annotations

import itertools
import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sandbox import Mode, Options, Sandbox
from sandbox.gateway import GATEWAYS, EnvoyGateway, Gateway
from support.client import Client
from support.figures import FIGURES, tables
from support.images import operator_image, server_images, speaking_images
from support.install import install
from support.model import World

_serial = itertools.count()
HERE = Path(__file__).parent
_OPERATOR = re.compile('"username":"system:serviceaccount:canarium:')


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--cluster",
        choices=["native", "kind"],
        default="native",
        help="where the end-to-end tests run; kind needs Docker and the extra canarium[kind]",
    )
    parser.addoption(
        "--gateway",
        choices=list(GATEWAYS),
        default="contour",
        help="what the end-to-end tests of routes run; envoy-gateway is built in about five "
        "minutes, once",
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.e2e)


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Notes what was measured: `figures(table, column=…)`. The tables end the run's output."""

    def note(table: str, **row: object) -> None:
        # By the report, since the test may run in another process than the summary.
        shown = {column: str(value) for column, value in row.items()}
        request.node.user_properties.append((f"{FIGURES}{table}", shown))

    return note


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [r for group in terminalreporter.stats.values() for r in group]
    for title, lines in tables(reports):
        terminalreporter.write_sep("-", title)
        for line in lines:
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def node(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Sandbox]:
    mode = Mode(request.config.getoption("--cluster"))
    if mode is Mode.KIND:
        _kind_on_path(tmp_path_factory.mktemp("kind"))
    elif os.geteuid() != 0:
        reason = "a real node needs root"
        if os.environ.get("CI"):
            pytest.fail(f"{reason}; in CI these tests must run")
        pytest.skip(reason)
    options = Options(name=f"e2e-{os.getpid()}", mode=mode, owner=os.getpid())
    with Sandbox.up(options) as sandbox:
        sandbox.load([operator_image(), *server_images(), *speaking_images()])
        install(sandbox)
        yield sandbox
        if mode is Mode.NATIVE:
            assert denied(sandbox) == [], "the chart's roles lack a right"


def denied(sandbox: Sandbox) -> list[str]:
    """What the operator asked for without the right to it."""
    with sandbox.audit_log.open() as log:
        events = [json.loads(line) for line in log if _OPERATOR.search(line)]
    return sorted(
        {
            f"{e['verb']} {e['requestURI'].split('?')[0]}"
            for e in events
            if e.get("annotations", {}).get("authorization.k8s.io/decision") == "forbid"
        }
    )


@pytest.fixture(scope="session")
def gateway(request: pytest.FixtureRequest, node: Sandbox) -> Callable[[], Gateway | EnvoyGateway]:
    """Starts the Gateway that was asked for, on the node; it ends with that."""
    if node.mode is not Mode.NATIVE:
        pytest.skip("the gateway runs on a native node")
    return lambda: GATEWAYS[request.config.getoption("--gateway")].up(node)


@pytest.fixture
def world(
    node: Sandbox, request: pytest.FixtureRequest, figures: Callable[..., None]
) -> Iterator[World]:
    """A namespace with one model that a client asks all the time."""
    world = World(node, f"story-{next(_serial)}")
    try:
        yield world
    finally:
        world.end()
        if world.client:
            note_requests(figures, request.node.name, world.client)


def note_requests(figures: Callable[..., None], case: str, client: Client) -> None:
    """Notes what became of a case's requests."""
    case = case.removeprefix("test_").replace("_", " ")
    sent, failed = len(client.answers), client.failed()
    figures("requests on real pods", case=case, sent=sent, failed=failed)


def _kind_on_path(folder: Path) -> None:
    """pytest-kind brings the kind binary; the sandbox does the rest."""
    os.environ.setdefault("KIND_VERSION", "v0.30.0")
    from pytest_kind import KindCluster

    cluster = KindCluster("canarium")
    cluster.ensure_kind()
    (folder / "kind").symlink_to(cluster.kind_path.resolve())
    os.environ["PATH"] = f"{folder}{os.pathsep}{os.environ['PATH']}"
