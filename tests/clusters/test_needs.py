"""Which cluster offers which end-to-end test, and how a run reports it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from support.clusters import needs
from support.clusters.needs import Cluster

ROOT = Path(__file__).parents[2]


def test_native_node_offers_everything_and_others_state_why_not() -> None:
    assert needs.lacking(needs.MISSING, Cluster.NATIVE) == {}
    assert needs.lacking([], Cluster.KIND) == {}
    assert needs.lacking(["node disk"], Cluster.KIND) == {}
    assert "runs as a process" in needs.lacking(["gateway"], Cluster.KIND)["gateway"]
    assert needs.lacking(["node disk"], Cluster.EXISTING)["node disk"].startswith("the test writes")


@pytest.mark.parametrize(
    ("wanted", "fixtures", "fault"),
    [
        (["gateway"], ["node", "gateway"], None),
        ([], ["node"], None),
        (["gate"], [], "needs('gate') is unknown; known are gateway, "),
        (["argocd"], ["prometheus"], "mark it needs('prometheus')"),
    ],
)
def test_marker_that_is_wrong_or_missing_is_reported(
    wanted: list[str], fixtures: list[str], fault: str | None
) -> None:
    found = needs.fault(wanted, fixtures)
    assert found == fault if fault is None else fault in str(found)


def test_table_has_a_row_per_file_and_needs() -> None:
    tests = {"e2e/a.py::x[1]": {"gateway"}, "e2e/a.py::y": {"gateway"}, "e2e/a.py::z": set()}
    assert needs.table(tests)[2:] == [
        "| `e2e/a.py` | 1 |  | yes | yes |",
        "| `e2e/a.py` | 2 | gateway | no | no |",
    ]


def test_summary_lists_the_tests_by_the_reason_of_the_cluster() -> None:
    def skipped(name: str, reason: str) -> SimpleNamespace:
        return SimpleNamespace(nodeid=name, longrepr=("file", 1, f"Skipped: {reason}"))

    reports = [
        skipped("e2e/a.py::x", "not offered by this cluster: no audit log"),
        skipped("e2e/b.py::y", "something else"),
        skipped("e2e/a.py::z", "not offered by this cluster: no audit log"),
    ]
    assert needs.summary(reports) == [
        "2 tests: no audit log",
        "  e2e/a.py::x",
        "  e2e/a.py::z",
    ]


@pytest.mark.slow
def test_page_about_testing_has_the_table_of_the_markers() -> None:
    command = [sys.executable, "-m", "pytest", "e2e", "--collect-only", "-q", "--offers"]
    done = subprocess.run(
        [*command, "-p", "no:cacheprovider"], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    printed = re.findall(r"(?m)^\| .*$", done.stdout)
    page = (ROOT / "docs" / "contributing" / "testing.md").read_text()
    section = page.partition("\n## Where end-to-end tests run\n")[2].partition("\n## ")[0]
    assert len(printed) > 10
    assert [line for line in section.splitlines() if line in printed] == printed, (
        "update the table: .venv/bin/pytest e2e --collect-only -q --offers"
    )
