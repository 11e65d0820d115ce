"""Phase Invalid: nothing of the wanted revision runs, and it cannot be made (R21, R24)."""

from __future__ import annotations

from canarium.api.reasons import RefusalReason
from canarium.core.bookkeeping.adoption import conflicts
from canarium.core.context.context import Situation
from canarium.core.context.live_traffic import answering
from canarium.core.context.naming import describe
from canarium.core.decision.phase_result import PhaseResult
from canarium.core.decision.plan import Action, Event
from canarium.core.health.availability import serving_now
from canarium.core.outcomes.refusals import quoted, reason_of
from canarium.core.phases.deployments import delete_revisions
from canarium.core.times import stamp


def is_invalid(s: Situation) -> bool:
    """Whether nothing of the wanted revision runs yet and it cannot be made.

    Once it runs, a rejected write is no reason to stop judging it: then the other rows decide, and
    the rejection is only reported; likewise once it has failed, when nothing of it is to be made.
    The callers' Service is made last, so a conflict over its name comes when the first version
    runs. What serves already is what the spec asks for: whatever of it cannot be repaired, such as
    a deleted Deployment, is reported where it serves.
    """
    rejection = s.observed.rejection
    late = s.stable is None and any(r.conflict for r in s.observed.rejections)
    if s.observed.deployment(s.target) is not None and not late:
        return False
    if (
        s.observed.foreign
        or s.observed.orphans
        or (rejection and not s.quarantined and s.target != s.stable)
    ):
        return True
    return bool(s.minted and s.observed.runtime.reason)


def invalid(s: Situation) -> PhaseResult:
    """Reports why the spec cannot be carried out; stable keeps serving, alone (R10, R21, R24).

    A candidate of the spec before is not wanted any more and would run on without being judged.
    """
    moves: list[Action] = []
    if s.strays and s.router.withdraw(s, moves):
        moves += delete_revisions(s, s.strays)
    reason, text = _cause(s)
    return PhaseResult(
        actions=tuple(moves),
        events=(Event("Warning", reason, text),),
        stable=s.stable,
        previous=s.previous,
        bake_since=stamp(s.bake_since) if s.previous else None,
        reason=reason,
        refusal=s.observed.rejection,
    ).say(text, _still_serving(s))


def _still_serving(s: Situation) -> str:
    if s.stable is None:
        return "no version is serving yet"
    shares = answering(s)
    alone = list(shares) == [s.stable]
    keeps = "keeps serving" if alone else "stays the promoted version"
    return serving_now(s) if shares and not alone else f"{describe(s, s.stable)} {keeps}"


def _cause(s: Situation) -> tuple[str, str]:
    rejection, runtime = s.observed.rejection, s.observed.runtime
    if s.observed.foreign:
        return RefusalReason.NAME_CONFLICT, conflicts(s.observed, s.name)
    if s.minted and runtime.reason:
        return runtime.reason, runtime.message
    assert rejection is not None
    return reason_of(rejection), quoted(rejection)
