"""The failure of a revision, from any source that recorded it (R9, R18)."""

from __future__ import annotations

import json

from pydantic import ValidationError

from canarium.api.reasons import FailureReason
from canarium.api.status import Failure
from canarium.core.context.context import RolloutContext
from canarium.core.facts.revision import Record
from canarium.core.health import analysis_results, smoke_tests
from canarium.core.health.candidate import judge_candidate
from canarium.core.health.cause import Cause
from canarium.core.outcomes.records import command_cause, failure_record
from canarium.core.times import stamp

#: Characters of a stored failure. A longer one was edited, and no status could hold it.
_LONGEST = 16_384


def known_failure(ctx: RolloutContext) -> Failure:
    """Returns why the target is quarantined.

    Sources in this order: the status, its record, the command in progress, its pods, its tests and
    checks.
    """
    reported = ctx.status.failure
    if reported and reported.revision == ctx.target:
        return reported
    recorded = stored_failure(ctx.observed.record(ctx.target))
    if recorded:
        return recorded
    cause = (
        command_cause(ctx, "abort")
        or command_cause(ctx, "undo")
        or judge_candidate(ctx, was_fully_ready=True)[0]
        or analysis_results.failure(ctx)
        or _failed_test(ctx)
    )
    if cause:
        return failure_record(ctx, cause)
    return Failure(
        revision=ctx.target,
        reason=FailureReason.UNKNOWN,
        message="failed earlier; the recorded cause is no longer available",
        time=stamp(ctx.now),
    )


def _failed_test(ctx: RolloutContext) -> Cause | None:
    smoke_result = smoke_tests.result(ctx)
    return smoke_result if isinstance(smoke_result, Cause) else None


def stored_failure(record: Record | None) -> Failure | None:
    """Returns the failure that a record stores; None without a valid one."""
    if record is None or not record.failure or len(record.failure) > _LONGEST:
        return None
    try:
        return Failure.model_validate(json.loads(record.failure))
    except (ValueError, RecursionError, ValidationError):
        return None


def failure_to_json(failure: Failure) -> str:
    """Returns a failure in the form in which a record stores it (JSON)."""
    return json.dumps(
        failure.model_dump(by_alias=True, exclude_none=True), sort_keys=True, ensure_ascii=False
    )
