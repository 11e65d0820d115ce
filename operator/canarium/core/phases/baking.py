"""Phase Baking: the new version is promoted, and the one before stays warm for an undo (R15)."""

from __future__ import annotations

from dataclasses import replace

from canarium.api.reasons import HoldReason
from canarium.core.context.context import Situation
from canarium.core.context.naming import describe
from canarium.core.decision.phase_result import PhaseResult
from canarium.core.decision.plan import Action
from canarium.core.health import gates
from canarium.core.health import outages as outage
from canarium.core.health.availability import serving_state
from canarium.core.health.candidate import judge_candidate
from canarium.core.messages import location
from canarium.core.outcomes.records import command_cause
from canarium.core.phases.deployments import delete_revisions, store_revision
from canarium.core.phases.undo import undo
from canarium.core.times import length, spoken, stamp


def baking(s: Situation) -> PhaseResult:
    """Judges the promoted version until the bake is over; a failure undoes the promotion."""
    outages = outage.count(s)
    base = PhaseResult(
        actions=store_revision(s),
        stable=s.stable,
        previous=s.previous,
        bake_since=stamp(s.bake_since),
        outages=outages,
    )
    failed, recheck = judge_candidate(s, was_good=True)
    judging = s.settings.analysis
    if not failed and judging and judging.during_bake:
        failed = gates.condemned(s)
    cause = command_cause(s, "undo") or failed or outage.cause(s, outages)
    if cause:
        return undo(s, base, cause)
    base = base.recheck_in(recheck)
    if s.down_since is not None or s.standby:
        return _interrupted(s, base)
    missing, does = serving_state(s)
    base = replace(base, reason=missing.reason if missing else "")
    has = f"{describe(s, s.stable)} {does}"
    warm = f"{describe(s, s.previous)} stays warm"
    if s.paused:
        return base.wait(HoldReason.PAUSED, has, f"{warm} while the bake is paused by {s.paused}")
    if judging and judging.during_bake and (why := gates.bake_frozen(s)) is not None:
        return base.wait(
            HoldReason.ANALYSIS_FAILED,
            f"{has}; {warm}: {why}; the bake ends when the check passes, and the command undo "
            "rolls back",
        )
    end = s.bake_since + s.settings.bake_time
    if end > s.now:
        return base.recheck_in(end - s.now).wait(
            HoldReason.BAKE,
            has,
            f"{warm} until {spoken(end)}",
            until=end,
            threshold=length(s.settings.bake_time),
        )
    moves: list[Action] = []
    if s.router.withdraw(s, moves):
        moves += delete_revisions(s, (s.previous or "",))
    over = replace(base, previous=None, bake_since=None, phase="Ready", requeue_after=None)
    return over.also(*moves).say(has)


def _interrupted(s: Situation, base: PhaseResult) -> PhaseResult:
    """The new stable has no ready pod, or had none a moment ago. The warm version answers if it
    can; the bake does not end meanwhile, also not while paused (R15)."""
    down = s.down_since is not None
    until = outage.ends_at(s) if s.standby else None
    missing, _ = serving_state(s)
    why = f": {missing.message}{location(missing.pod, missing.container)}" if missing else ""
    has = f"has no ready pods{why}" if down else "has ready pods again"
    then = f"its promotion is undone unless it is ready by {spoken(until)}" if until else ""
    waiting = base.recheck_in(until - s.now if until else None).wait(
        HoldReason.STABLE_UNAVAILABLE,
        f"{describe(s, s.stable)} {has}",
        then,
        "the bake does not end meanwhile",
        until=until,
        observed=f"{s.observed.ready(s.stable)} ready",
        threshold=f"{s.count} ready",
    )
    return replace(waiting, reason=missing.reason if missing else HoldReason.STABLE_UNAVAILABLE)
