"""The faults that the bench puts between the operator and its API server, and their budgets."""

from __future__ import annotations

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from bench.budgets import budgets
from bench.phases.faulty import FAULTS, Faulty, rule
from bench.run import Results
from sandbox.fault_proxy import Refusal, Reset, Slow

SLOW = "writes/s where the API server is faulty (slow), beside the lower of an optimal"


def write() -> web.Request:
    return make_mocked_request("PATCH", "/apis/apps/v1/namespaces/a/deployments/m")


def test_every_write_is_slow_and_every_fourth_one_fails() -> None:
    harmed = {}
    for name, fault in FAULTS.items():
        decide = rule(*fault)
        harmed[name] = [decide(write()) for _ in range(8)]
    assert all(isinstance(fault, Slow) for fault in harmed["slow"])
    for name, kind in (("503", Refusal), ("reset", Reset)):
        assert [isinstance(fault, kind) for fault in harmed[name]] == [
            False,
            False,
            False,
            True,
        ] * 2


@pytest.mark.parametrize(
    "path", ["/api/v1/pods", "/apis/coordination.k8s.io/v1/namespaces/a/leases/canarium"]
)
def test_reads_and_the_lease_never_fail(path: str) -> None:
    decide = rule(Reset(), 1)
    method = "PUT" if "leases" in path else "GET"
    assert decide(make_mocked_request(method, path)) is None


@pytest.mark.parametrize(
    ("ours", "passed", "reached"), [(90.0, True, True), (50.0, True, False), (10.0, False, False)]
)
def test_throughput_is_judged_beside_the_lower_mark(
    ours: float, passed: bool, reached: bool
) -> None:
    found = Faulty(optimal=200.0, unharmed=100.0, ours=ours, harmed=3)
    results = Results(faulty=dict.fromkeys(FAULTS, found))
    (line,) = (line for line in budgets(results, [200]) if line.what.startswith(SLOW))
    assert (line.figure, line.passed, line.reached) == (f"{ours:.0f}%", passed, reached)


def test_fault_that_was_not_measured_is_reported_so() -> None:
    (line,) = (line for line in budgets(Results(), [200]) if line.what.startswith(SLOW))
    assert (line.figure, line.passed) == ("not measured", None)
