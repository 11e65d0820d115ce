"""Replays recorded requests to candidate and stable, and compares the responses.

A JSON path selects what is compared. Bodies of requests and responses are neither logged nor part
of any message.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from canarium.api.reasons import CheckReason
from canarium.core.evidence.measures import Missing, Reading, Result
from canarium.evaluation.errors import EvaluationError
from canarium.signals.access import Dropped, NamespaceAccess
from canarium.signals.addresses import authority
from canarium.signals.errors import NoAnswer, Unreachable
from canarium.signals.prometheus import reason_of
from canarium.signals.smoke import Target

#: Concurrent replayed requests: stable serves users meanwhile.
AT_ONCE = 4


async def recorded(web: NamespaceAccess, text: str) -> list[bytes]:
    """Returns the first bodies in `text`, one JSON document per line. Raises EvaluationError."""
    _, bodies = await web.evaluate("requests", text.encode())
    return bodies


@dataclass(frozen=True, slots=True)
class ReplayComparison:
    """The paths at candidate and stable, what of the responses is compared, and how exactly."""

    path: str
    stable_path: str
    json_path: str
    tolerance: float
    patience: float


@dataclass
class _Lost:
    """Requests without an answer, and why the last one had none. The errors themselves have frames
    that have whole answers."""

    count: int = 0
    message: str = ""
    reason: CheckReason = CheckReason.PODS_UNREACHABLE
    unreachable: bool = False

    def add(self, error: NoAnswer) -> None:
        self.count += 1
        self.message, self.unreachable = str(error), isinstance(error, Unreachable)
        self.reason = CheckReason.PODS_UNREACHABLE if self.unreachable else error.reason


async def compare(
    web: NamespaceAccess,
    how: ReplayComparison,
    requests: Sequence[bytes],
    candidate: Target,
    stable: Target,
) -> Result:
    """Returns the share of requests with different responses.

    A request that *stable* does not answer with 200, or whose connection is lost, is not counted;
    one that only the candidate fails is a difference. Nor is one counted for whose answers the
    operator lacked memory.
    """
    slots = asyncio.Semaphore(AT_ONCE)
    lost = _Lost()

    async def one(body: bytes) -> bool | None:
        async with slots:
            try:
                wanted = await _answered(web, how, how.stable_path, stable, body)
                if wanted is None:
                    return None
                async with web.keeping(len(wanted)):
                    answer = await _answered(web, how, how.path, candidate, body)
            except (Unreachable, Dropped) as error:
                lost.add(error)
                return None
            pair = (wanted,) if answer is None else (wanted, answer)
            result, _ = await web.evaluate(
                "comparison", *pair, path=how.json_path, tolerance=how.tolerance
            )
            alike: bool | None = result["alike"]
            return alike

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(body)) for body in requests]
    except ExceptionGroup as errors:
        error = errors.exceptions[0]
        if not isinstance(error, EvaluationError):
            raise
        return Missing(f"replay: {error}", error=True, reason=reason_of(error))
    compared = [alike for task in tasks if (alike := task.result()) is not None]
    if not compared and lost.count:
        text = f"{lost.count} of {len(requests)} recorded requests got no answer: {lost.message}"
        return Missing(text, error=not lost.unreachable, reason=lost.reason)
    if not compared:
        text = f"stable answered none of {len(requests)} recorded requests with {how.json_path}"
        return Missing(text, reason=CheckReason.NO_MATCH)
    different = compared.count(False)
    return Reading(different / len(compared), samples=len(compared), bad=different)


async def _answered(
    web: NamespaceAccess, how: ReplayComparison, path: str, target: Target, body: bytes
) -> bytes | None:
    try:
        answer = await web.request(
            "POST",
            f"http://{authority(target.address, target.port)}{path}",
            body=body,
            headers={"Content-Type": "application/json"},
            patience=how.patience,
            pod=True,
        )
    except (Unreachable, Dropped):
        raise
    except NoAnswer:
        return None
    return answer.body if answer.status == 200 else None
