"""Whether the smoke tests of the target have passed, before its first traffic (R4)."""

from __future__ import annotations

from canarium.api.reasons import (
    CheckReason,
    ConditionReason,
    ConnectionLoss,
    FailureReason,
    HoldReason,
)
from canarium.core.context.context import RolloutContext
from canarium.core.health.cause import Cause

_POLICY = "a NetworkPolicy that does not admit the operator"
_MESH = "a service mesh that requires mutual TLS, or a NetworkPolicy"
#: Likely causes of a lost connection to a Ready pod, by kind (`SmokeReport.unreachable`).
_LIKELY: dict[str, str] = {
    ConnectionLoss.REFUSED: "a port that only the pod itself can reach, or a NetworkPolicy",
    ConnectionLoss.RESET: _MESH,
    ConnectionLoss.TIMED_OUT: _POLICY,
    ConnectionLoss.NO_ROUTE: _POLICY,
}
#: Holds that request the smoke tests.
WAIT_REASONS = (HoldReason.SMOKE_TESTS, HoldReason.PODS_UNREACHABLE)


def result(ctx: RolloutContext) -> Cause | bool:
    """Returns whether the target may receive traffic: True, False (unknown yet), or why not.

    A candidate that has traffic has passed, since it receives none before. Its later
    pods only have to become ready.
    """
    if not ctx.settings.smoke_tests or ctx.progress.weight > 0 or ctx.candidate_has_traffic:
        return True
    report = ctx.observed.smoke
    if report is None or report.revision != ctx.target:
        return False
    if report.passed:
        return True
    if report.unusable or report.unreachable:
        return False
    return Cause(
        FailureReason.SMOKE_TEST_FAILED, report.message, pod=report.pod, samples=report.tested
    )


def inconclusive(ctx: RolloutContext) -> tuple[str, str] | None:
    """Returns reason and text why the smoke tests have no result: the spec is wrong (R21), or the
    operator cannot connect to a ready pod, which does not count as a wrong answer (R7)."""
    report = ctx.observed.smoke
    if report is None or report.revision != ctx.target:
        return None
    if report.unusable:
        wrong = report.reason is CheckReason.INVALID_TEST
        return ConditionReason.INVALID_TEST if wrong else report.reason, report.message
    if report.unreachable:
        cause = _LIKELY.get(report.unreachable, _POLICY)
        where = f" (pod/{report.pod}, which is Ready)" if report.pod else ""
        text = f"{report.message}{where}. Likely cause: {cause}. Retrying"
        return HoldReason.PODS_UNREACHABLE, text
    return None


def wait_reason(ctx: RolloutContext) -> HoldReason:
    """Returns the reason of the wait for smoke tests; both reasons request the tests."""
    fault = inconclusive(ctx)
    unreached = fault is not None and fault[0] == HoldReason.PODS_UNREACHABLE
    return HoldReason.PODS_UNREACHABLE if unreached else HoldReason.SMOKE_TESTS
