"""What tests need of their cluster, beyond running pods, and which clusters offer it.

A test is marked `needs("gateway")`; where its cluster does not offer that, it is skipped with the
reason from here. `pytest e2e --collect-only -q --offers` prints the table of all tests, which is
in docs/contributing/testing.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, NoReturn

import pytest


class Cluster(StrEnum):
    """The choices of `--cluster`."""

    NATIVE = "native"
    KIND = "kind"
    EXISTING = "existing"


#: How the reason of such a skip begins.
_NOT_OFFERED = "not offered by this cluster: "
_PROCESS = "runs as a process of the sandbox's native node"
_BESIDE = "runs beside the sandbox's native node, whose API server writes an audit log"
#: Need → cluster → why it is not offered there.
MISSING: Mapping[str, Mapping[Cluster, str]] = {
    "gateway": dict.fromkeys((Cluster.KIND, Cluster.EXISTING), f"the Gateway {_PROCESS}"),
    "prometheus": dict.fromkeys((Cluster.KIND, Cluster.EXISTING), f"Prometheus {_PROCESS}"),
    "argocd": dict.fromkeys((Cluster.KIND, Cluster.EXISTING), f"Argo CD {_BESIDE}"),
    "demo": dict.fromkeys(
        (Cluster.KIND, Cluster.EXISTING), "`make demo` chooses and starts a cluster itself"
    ),
    "node disk": {Cluster.EXISTING: "the test writes files to the disk of the node"},
    "audit log": {
        Cluster.EXISTING: "the test finds every write of the operator in the API server's audit log"
    },
}
#: Fixtures → what a test that uses them has to be marked with.
FIXTURES = {"gateway": "gateway", "prometheus": "prometheus", "platform": "argocd"}


def lacking(needs: Iterable[str], cluster: Cluster) -> dict[str, str]:
    """Returns the needs that a cluster does not offer, each with the reason."""
    return {n: MISSING[n][cluster] for n in sorted(set(needs)) if cluster in MISSING[n]}


def fault(needs: Iterable[str], fixtures: Iterable[str]) -> str | None:
    """Returns what is wrong with the markers of a test that uses `fixtures`."""
    wanted = set(needs)
    for need in sorted(wanted - MISSING.keys()):
        return f"needs({need!r}) is unknown; known are {', '.join(MISSING)}"
    for fixture in fixtures:
        if fixture in FIXTURES and FIXTURES[fixture] not in wanted:
            return f"uses the fixture {fixture}: mark it needs({FIXTURES[fixture]!r})"
    return None


def table(tests: Mapping[str, Iterable[str]]) -> list[str]:
    """Returns the Markdown table of `tests` (file::name → needs): a row per file and needs."""
    rows: dict[tuple[str, tuple[str, ...]], int] = {}
    for test, needs in tests.items():
        key = test.partition("::")[0], tuple(sorted(set(needs)))
        rows[key] = rows.get(key, 0) + 1
    lines = ["| File | Tests | Needs | kind | existing |", "|---|---|---|---|---|"]
    for (file, needs), count in sorted(rows.items()):
        offers = ("no" if lacking(needs, c) else "yes" for c in (Cluster.KIND, Cluster.EXISTING))
        lines.append(f"| `{file}` | {count} | {', '.join(needs)} | {' | '.join(offers)} |")
    return lines


def unoffered(reason: str) -> NoReturn:
    """Skips a test that its cluster does not offer."""
    pytest.skip(f"{_NOT_OFFERED}{reason}")


def summary(skipped: Iterable[Any]) -> list[str]:
    """Returns which tests a cluster did not offer and why, from pytest's reports of skips."""
    by_reason: dict[str, list[str]] = {}
    for report in skipped:
        text = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
        _, separator, reason = text.partition(_NOT_OFFERED)
        if separator:
            by_reason.setdefault(reason, []).append(report.nodeid)
    return [
        line
        for reason, names in by_reason.items()
        for line in (f"{len(names)} tests: {reason}", *(f"  {name}" for name in names))
    ]
