"""The candidate's progress at the start of a decision, from the status and the traffic record.

Theory. The position (granted weight, pause, commands) is stored in the record, because it is
written together with traffic; the clocks are stored in the status, because they change while no
traffic moves (R12, R18). So there are four cases:

- both agree: the status, with the position of the record;
- the status is behind the record, or was edited: the position of the record, and the clock
  restarts;
- the status is lost: rebuilt from the record, at the granted weight if that is in effect;
- both are lost: a candidate that still has traffic keeps it, and a manual pause begins.
"""

from __future__ import annotations

from collections.abc import Callable

from canarium.api.effective_spec import MANUAL
from canarium.api.status import Progress
from canarium.core.context.gates import opened_gates
from canarium.core.context.rollout import RolloutFacts
from canarium.core.facts.grant import BY_ITSELF, PROMOTION, Grant
from canarium.core.times import parse, stamp


def restored_progress(rollout: RolloutFacts, weight_applied: Callable[[int], bool]) -> Progress:
    """Returns the candidate's progress: position by the record, clocks by the status (R18)."""
    stored, candidate = rollout.status.progress, rollout.status.candidate
    current = candidate is not None and candidate.revision == rollout.target
    grant = rollout.grant
    if not current or stored is None or rollout.progress_is_invalid:
        return _rebuilt(rollout, grant, weight_applied) if grant else _without_record(rollout)
    if grant is None and stored.weight and stored.pause is None:
        return _without_record(rollout)  # A weight without its pause: the status was edited.
    stored = _shifted_by_pause(rollout, stored)
    return _reconciled(rollout, stored, grant) if grant else stored


def _reconciled(rollout: RolloutFacts, stored: Progress, grant: Grant) -> Progress:
    """Returns the progress of the status, corrected by the record's position and commands.

    A status behind the record was not written in time; one ahead of it was edited by hand.
    """
    orders = {"full": grant.full is not None}
    if (stored.granted, stored.passed, stored.pause is None) != (
        grant.weight,
        grant.passed,
        grant.pause is None,
    ):
        weight = stored.weight if grant.origin <= stored.weight <= grant.weight else grant.origin
        return stored.model_copy(
            update={**_position(grant), **orders, "weight": weight, "step_start_time": None}
        )
    by_itself = stored.released if stored.released in BY_ITSELF else None
    return stored.model_copy(
        update={
            **orders,
            "pause": grant.pause,
            "analysis": grant.analysis or stored.analysis,
            "released": grant.released or (by_itself if grant.pause != MANUAL else None),
            "weight": min(stored.weight, grant.weight),
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


def _rebuilt(
    rollout: RolloutFacts, grant: Grant, weight_applied: Callable[[int], bool]
) -> Progress:
    """Returns the recorded position after the status was lost; the clock of the pause restarts."""
    enough = rollout.observed.ready(rollout.target) >= rollout.traffic.pods_needed(
        grant.weight, rollout.stable_replicas
    )
    weight = grant.weight if enough and weight_applied(grant.weight) else grant.origin
    ended_alone = grant.released in (*BY_ITSELF, PROMOTION)
    return Progress(
        weight=weight,
        full=grant.full is not None,
        command=grant.full or (None if ended_alone else grant.released),
        strategy=grant.strategy,
    ).model_copy(update=_position(grant))


def _without_record(rollout: RolloutFacts) -> Progress:
    """Returns the progress when neither status nor record has a rollout.

    A candidate that has traffic nevertheless keeps its weight until a command continues. With more
    traffic than it had when a gate started to wait, it serves in place of stable.
    """
    weight = rollout.traffic.observed_weight(rollout.target, rollout.stable)
    if weight is None and rollout.candidate_has_traffic:
        deployment = rollout.observed.deployment(rollout.target)
        count = deployment.replicas if deployment else 0
        weight = 100 * count // max(1, count + rollout.stable_replicas)
    waiting = [gate.at for gate in opened_gates(rollout) if not gate.result]
    if weight and waiting:
        weight = min(weight, *waiting)
    if not weight:
        return Progress()
    return Progress(weight=weight, granted=weight, pause=MANUAL)


def _shifted_by_pause(rollout: RolloutFacts, stored: Progress) -> Progress:
    """Returns the progress with its step starting later by the seconds of a pause that ended."""
    if not rollout.paused_for or not stored.step_start_time:
        return stored
    return stored.model_copy(
        update={"step_start_time": stamp(parse(stored.step_start_time) + rollout.paused_for)}
    )
