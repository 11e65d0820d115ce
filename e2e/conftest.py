"""A real node with the operator in it, installed by helm as users install it."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sandbox import Sandbox
from sandbox.gateway import GATEWAYS, EnvoyGateway, Gateway
from support.client import Client
from support.clusters import needs
from support.clusters.needs import Cluster
from support.clusters.start import Start, check, starter
from support.figures import FIGURES, tables
from support.images import operator_image, server_images, speaking_images
from support.install import install
from support.model import World

_serial = itertools.count()
HERE = Path(__file__).parent
_OPERATOR = re.compile('"username":"system:serviceaccount:canarium:')
#: Beside each other, the fetchers of many models request more than a node of two processors has.
FETCHERS = (
    "fetch.resources.requests.cpu=20m",
    "fetch.resources.requests.memory=128Mi",
    "fetch.resources.limits.memory=512Mi",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--cluster",
        choices=[*Cluster],
        default=Cluster.NATIVE,
        help="where the end-to-end tests run; kind needs Docker (docs/contributing/testing.md)",
    )
    parser.addoption("--context", help="--cluster=existing: the context of your kubeconfig")
    parser.addoption(
        "--load-images",
        default="",
        help="--cluster=existing: a command that makes the images of an archive, its last "
        "argument, available to the nodes, such as 'k3d image import --cluster test'",
    )
    parser.addoption(
        "--offers", action="store_true", help="print which cluster offers which end-to-end test"
    )
    parser.addoption(
        "--gateway",
        choices=list(GATEWAYS),
        default="contour",
        help="what the end-to-end tests of routes run; envoy-gateway is built in about five "
        "minutes, once",
    )


def pytest_configure(config: pytest.Config) -> None:
    check(config)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE not in item.path.parents:
            continue
        item.add_marker(pytest.mark.e2e)
        if fault := needs.fault(needs_of(item), getattr(item, "fixturenames", ())):
            raise pytest.UsageError(f"{item.nodeid}: {fault}")


def pytest_collection_finish(session: pytest.Session) -> None:
    if session.config.getoption("--offers"):
        tests = {i.nodeid: needs_of(i) for i in session.items if HERE in i.path.parents}
        print("\n".join(needs.table(tests)))


def pytest_runtest_setup(item: pytest.Item) -> None:
    cluster = Cluster(item.config.getoption("--cluster"))
    for reason in needs.lacking(needs_of(item), cluster).values():
        needs.unoffered(reason)


def needs_of(item: pytest.Item) -> set[str]:
    """What a test is marked to need of its cluster."""
    return {name for mark in item.iter_markers("needs") for name in mark.args}


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Notes what was measured: `figures(table, column=…)`. The tables end the run's output."""

    def note(table: str, **row: object) -> None:
        # By the report, since the test may run in another process than the summary.
        shown = {column: str(value) for column, value in row.items()}
        request.node.user_properties.append((f"{FIGURES}{table}", shown))

    return note


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    cluster = Cluster(config.getoption("--cluster"))
    reports = [r for group in terminalreporter.stats.values() for r in group]
    for title, lines in tables(reports):
        terminalreporter.write_sep("-", title)
        for line in lines:
            terminalreporter.write_line(line)
    if missing := needs.summary(terminalreporter.stats.get("skipped", ())):
        terminalreporter.write_sep("-", f"not offered by --cluster={cluster}")
        for line in missing:
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def start(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Start:
    """Starts clusters of the kind that was asked for."""
    return starter(request.config, lambda: tmp_path_factory.mktemp("cluster"))


@pytest.fixture(scope="session")
def node(start: Start, request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    audited = not needs.lacking({"audit log"}, Cluster(request.config.getoption("--cluster")))
    with start("e2e") as sandbox:
        sandbox.load([operator_image(), *server_images(), *speaking_images()])
        install(sandbox, *FETCHERS)
        yield sandbox
        if audited:
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
