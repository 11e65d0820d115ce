"""The candidate's progress as a decision finds it, from the status and the traffic record.

Theory. The position (granted weight, pause, commands) is the record's, since it is written with
traffic; the clocks are the status', since only they change while nothing moves (R12, R18). So there
are four cases:

- both agree: the status, with what the record knows better;
- the status is behind the record, or was edited: the record's position, and the clock starts anew;
- the status is lost: rebuilt from the record, at the granted weight if that is in effect;
- both are lost: a candidate that has traffic all the same keeps it, under a manual pause.
"""

from __future__ import annotations

from collections.abc import Callable

from canarium.api.effective_spec import MANUAL
from canarium.api.status import Progress
from canarium.core.context.rollout import Rollout
from canarium.core.facts.grant import BY_ITSELF, Grant, pause_text
from canarium.core.times import parse, stamp


def restored_progress(rollout: Rollout, weight_applied: Callable[[int], bool]) -> Progress:
    """The candidate's progress. Its position is the record's, its clocks are the status' (R18)."""
    told, candidate = rollout.status.progress, rollout.status.candidate
    mine = candidate is not None and candidate.revision == rollout.target
    grant = rollout.grant
    if not mine or told is None or rollout.progress_is_bogus:
        return _rebuilt(rollout, grant, weight_applied) if grant else _unknown(rollout)
    told = _thawed(rollout, _of_before(rollout, told))
    return _reconciled(rollout, told, grant) if grant else told


def _reconciled(rollout: Rollout, told: Progress, grant: Grant) -> Progress:
    """The record decides on position and orders. A status that is behind it was not written in
    time; one that is ahead of it was edited by hand."""
    orders = {"full": grant.full is not None}
    if (told.granted, told.passed, told.pause is None) != (
        grant.weight,
        grant.passed,
        grant.pause is None,
    ):
        weight = told.weight if grant.origin <= told.weight <= grant.weight else grant.origin
        return told.model_copy(
            update={**_position(grant), **orders, "weight": weight, "step_start_time": None}
        )
    by_itself = told.released if told.released in BY_ITSELF else None
    return told.model_copy(
        update={
            **orders,
            "pause": grant.pause,
            "analysis": grant.analysis or told.analysis,
            "released": grant.released or (by_itself if grant.pause != MANUAL else None),
            "weight": min(told.weight, grant.weight),
        }
    )


def _position(grant: Grant) -> dict[str, object]:
    return {
        "granted": grant.weight,
        "pause": grant.pause,
        "analysis": grant.analysis,
        "passed": grant.passed,
        "released": grant.released,
    }


def _rebuilt(rollout: Rollout, grant: Grant, weight_applied: Callable[[int], bool]) -> Progress:
    """A lost status: the candidate stands where the record says, and the pause's clock starts
    anew."""
    enough = rollout.observed.ready(rollout.target) >= rollout.traffic.pods_needed(
        grant.weight, rollout.stable_replicas
    )
    weight = grant.weight if enough and weight_applied(grant.weight) else grant.origin
    by = grant.full or grant.released
    return Progress(
        weight=weight,
        full=grant.full is not None,
        by=f"command {by}" if by and "/" in by else None,
        strategy=grant.strategy,
    ).model_copy(update=_position(grant))


def _unknown(rollout: Rollout) -> Progress:
    """Neither status nor record tell of a rollout. A candidate that has traffic all the same stands
    at what it has until somebody orders it to go on."""
    weight = rollout.traffic.observed_weight(rollout.target, rollout.stable)
    if weight is None and rollout.candidate_has_traffic:
        deployment = rollout.observed.deployment(rollout.target)
        count = deployment.replicas if deployment else 0
        weight = 100 * count // max(1, count + rollout.stable_replicas)
    if not weight:
        return Progress()
    return Progress(weight=weight, granted=weight, pause=MANUAL)


def _of_before(rollout: Rollout, told: Progress) -> Progress:
    """A status of an operator that noted no grants: it stands at its weight."""
    if told.pause is not None or not told.weight:
        return told
    pauses = [step.pause for step in rollout.steps if step.weight == told.weight]
    pause = pauses[0] if pauses else None
    return told.model_copy(update={"granted": told.weight, "pause": pause_text(pause)})


def _thawed(rollout: Rollout, told: Progress) -> Progress:
    if not rollout.paused_for or not told.step_start_time:
        return told
    return told.model_copy(
        update={"step_start_time": stamp(parse(told.step_start_time) + rollout.paused_for)}
    )
