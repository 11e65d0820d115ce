"""Drops implausible timestamps from the status, which would otherwise stall a step.

A status that was edited by hand may contain any time, such as one in the next century.
"""

from __future__ import annotations

from pydantic.alias_generators import to_camel

from canarium.api.reasons import WarningReason
from canarium.api.status import Status, StatusWarning
from canarium.core.times import parse, stamp

#: Plausible difference in seconds between the clocks of two machines.
SKEW = 60.0
#: Times that decisions use: a part of the status ("" is the status itself), and its field.
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


def plausible(status: Status, now: float) -> tuple[Status, tuple[StatusWarning, ...]]:
    """Returns the status with `now` (POSIX seconds) in place of implausible times, and warnings."""
    warnings = list[StatusWarning]()
    for part, field in CLOCKS:
        place = getattr(status, part) if part else status
        time = getattr(place, field) if place else None
        why = _implausible(time, now) if time else None
        if why is None:
            continue
        corrected = place.model_copy(update={field: stamp(now)})
        status = status.model_copy(update={part: corrected}) if part else corrected
        path = ".".join(to_camel(step) for step in ("status", part, field) if step)
        warnings.append(ignored(path, f"{time} {why}"))
    return status, tuple(warnings)


def ignored(path: str, why: str) -> StatusWarning:
    """Returns the warning that the field at `path` of the status is ignored."""
    return StatusWarning(
        reason=WarningReason.STATUS_IMPLAUSIBLE, object=path, message=f"Ignored {path}: {why}"
    )


def _implausible(time: str, now: float) -> str | None:
    """Returns why `time` is implausible; None if it is plausible."""
    try:
        return "is in the future" if parse(time) > now + SKEW else None
    except ValueError:
        return "is not a valid timestamp"
