"""The status without times that cannot be: edited by hand, one would hold a step for centuries."""

from __future__ import annotations

from pydantic.alias_generators import to_camel

from canarium.api.reasons import WarningReason
from canarium.api.status import Status, StatusWarning
from canarium.core.times import parse, stamp

#: The clocks of two machines may differ by so many seconds: no status is damaged by that.
SKEW = 60.0
#: The times that decisions go by: a part of the status ("": the status itself), and its field.
CLOCKS = (
    ("", "bake_start_time"),
    ("", "stable_unavailable_start_time"),
    ("progress", "step_start_time"),
    ("progress", "wait_start_time"),
    ("pause", "start_time"),
    ("waiting_for", "start_time"),
    ("analysis", "start_time"),
    ("route", "accepted_time"),
)


def believed(status: Status, now: float) -> tuple[Status, tuple[StatusWarning, ...]]:
    """Returns the status with `now` for implausible times (POSIX seconds), and their warnings."""
    warnings = list[StatusWarning]()
    for part, field in CLOCKS:
        place = getattr(status, part) if part else status
        time = getattr(place, field) if place else None
        why = _impossible(time, now) if time else None
        if why is None:
            continue
        mended = place.model_copy(update={field: stamp(now)})
        status = status.model_copy(update={part: mended}) if part else mended
        path = ".".join(to_camel(step) for step in ("status", part, field) if step)
        warnings.append(ignored(path, f"{time} {why}"))
    return status, tuple(warnings)


def ignored(path: str, why: str) -> StatusWarning:
    """Returns the warning that the field at `path` of the status is ignored."""
    return StatusWarning(
        reason=WarningReason.STATUS_IMPLAUSIBLE, object=path, message=f"Ignored {path}: {why}"
    )


def _impossible(time: str, now: float) -> str | None:
    try:
        return "is in the future" if parse(time) > now + SKEW else None
    except ValueError:
        return "is not a valid timestamp"
