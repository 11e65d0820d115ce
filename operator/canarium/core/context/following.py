"""Whether a followed reference has moved, and what holds its new result (R26).

The newest record of a spec holds what its reference stands for. `spec.model.follow` lets a newer
answer of the registry replace that, under these conditions:

1. the answer is confirmed: the last two agree. A reference that flaps starts no rollout;
2. no retry is under way, which resolves the reference by itself;
3. neither `spec.paused` nor the command pause holds it.

A new result is then treated as a change of the spec (R10, R11): without a record, one is stored;
the record of an earlier result becomes the newest again. Its verdict stays, so a result that failed
is not tried again (R9). No answer, or an error, changes nothing.
"""

from __future__ import annotations

from canarium.api.states import PauseSource
from canarium.api.status import Pause
from canarium.core.facts.resolution import Resolution, ResolveRequest
from canarium.core.facts.revision import Record


def new_result(
    record: Record | None, request: ResolveRequest | None, result: Resolution | None
) -> str | None:
    """Returns the confirmed result of `request` if it is not that of `record`, the newest one."""
    if record is None or request is None or result is None or result.request != request:
        return None
    return result.uri if result.confirmed and result.uri != record.resolved else None


def is_paused_by_command(record: Record, pause: Pause | None, *, status_lost: bool) -> bool:
    """Returns whether the command pause stops the revision of `record`: by the status or, if that
    is lost, by the record itself (R16, R18)."""
    if pause and pause.source is PauseSource.COMMAND:
        return pause.revision == record.revision
    return status_lost and "paused" in record.commands
