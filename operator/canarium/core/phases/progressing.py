"""A candidate beside stable: created, gated, weighted step by step, promoted or taken back."""

from __future__ import annotations

from dataclasses import replace

from canarium.api.effective_spec import Step
from canarium.core.bookkeeping.upkeep import UNSEEN
from canarium.core.context.context import Situation
from canarium.core.context.position import (
    ELAPSED,
    INSUFFICIENT,
    PASSED,
    PROMOTE,
    PROMOTION,
    following,
    granted,
    refreshed,
    released,
    standing,
    token_of,
)
from canarium.core.decision.phase_result import Draft
from canarium.core.decision.plan import Action, CreateDeployment, Event, Scale
from canarium.core.evidence.verdict import Finding, Verdict
from canarium.core.evidence.windows import UNREACHABLE
from canarium.core.health import gates
from canarium.core.health.availability import serving_now
from canarium.core.health.pods import Cause
from canarium.core.outcomes.messages import sentences
from canarium.core.outcomes.moves import (
    arrived,
    begun,
    by_order,
    failure_of,
    hold,
    judged,
    next_step,
    ordered_by,
    outcome_of,
    removed,
    replicas_of,
    startable,
    stored,
    where,
    word,
)
from canarium.core.outcomes.refusals import until_refused
from canarium.core.phases import takeover
from canarium.core.phases.leftover_pods import leaving, older
from canarium.core.phases.scaled_to_zero import asleep, is_waking, waking
from canarium.core.phases.waiting import (
    faulty,
    gathering,
    paused,
    returning,
    routing,
    testing,
    then,
    unreturned,
)
from canarium.core.routing import capacity
from canarium.core.times import length, parse, spoken, stamp


def rolling_out(s: Situation) -> Draft:
    """The candidate's next move."""
    s = replace(s, moved=refreshed(s))
    actions: list[Action] = stored(s)
    deployment = s.observed.deployment(s.target)
    base = Draft("", stable=s.stable, candidate=s.target, progress=begun(s))
    aborted = by_order(s, "abort")
    if aborted:
        return _failing(s, base, actions, aborted)
    if deployment is None or s.strays or (s.previous and s.previous != s.target):
        return _entering(s, base, actions)
    failed, recheck = judged(s, was_good=s.progress.weight > 0)
    failed = failed or gates.condemned(s)
    if failed:
        return _failing(s, base, actions, failed)
    if s.count == 0:
        return asleep(s, base, actions)
    if is_waking(s):
        return waking(s, base, actions)
    order = s.ordered("promote")
    if order:
        return _onward(s, base, actions, token_of(order))
    fault = s.router.fault(s)
    if fault:
        return faulty(s, base, actions, fault, recheck)
    step = next_step(s)
    need = capacity.needed(s, step)
    if s.stable_broken:
        need = max(need, s.router.needed(100, s.count))
    rises = step is None or (
        (step.weight > s.progress.weight or step.weight == 0)
        and not (s.given and deployment.replicas >= need and not s.router.covers(s, s.target))
    )
    frozen = bool(s.paused and rises)
    actions += capacity.shrunk(s, s.router.needed(s.progress.weight, s.count) if frozen else need)
    if frozen and not s.stable_broken:
        return paused(s, base, actions, recheck)
    if step and step.weight > s.progress.granted and s.router.rises_by_pods(s):
        # More pods raise the share: the record tells of the weight before they are there.
        s = replace(s, moved=granted(s, step, begun(s)))
        base = replace(base, progress=begun(s))
    if deployment.replicas < startable(s, need):
        actions.append(Scale(s.target, startable(s, need)))
    passed = gates.smoke(s)
    if isinstance(passed, Cause):
        return _failing(s, base, actions, passed)
    ready, down = s.observed.ready(s.target), s.down_since is not None
    if ready and not passed and (ready >= need or down):
        return testing(s, base, actions, step, recheck)
    if frozen:
        # The pause holds steps, not the fix: the candidate answers, and that is all (R13, R16).
        return paused(s, base, actions, recheck)
    if ready < need:
        return gathering(s, base, actions, step, need, recheck)
    if step is None:
        if not s.router.ready_to_promote(s):
            if not s.route_kind:
                return gathering(s, base, actions, step, need, recheck)
            moves = s.router.give(s, 100)
            if moves:
                s = replace(s, moved=released(s, granted(s, Step(100, 0.0), begun(s)), PROMOTION))
            return routing(s, base, [*actions, *moves], 100, recheck)
        return _promoting(s, base, actions, deployment.color)
    return _holding(s, base, actions, step, recheck)


def _entering(s: Situation, base: Draft, actions: list[Action]) -> Draft:
    """Makes room for the candidate's Deployment: one colour selected, the other one free."""
    at, other = takeover.succeeds_at(s), takeover.heir(s)
    if at is not None and at <= s.now and other:
        return _succeeding(s, base, actions, other)
    previous = (s.previous,) if s.previous and s.previous != s.target else ()
    if s.router.withdraw(s, actions, candidate=s.target):
        actions += removed(s, (*s.strays, *previous))
    if other is None and s.standby != s.target:
        other = s.standby
    if other:
        return _outlasting(s, replace(base, actions=tuple(actions)), other, at)

    def wait(reason: str, text: str, until: float | None = None) -> Draft:
        return replace(
            base,
            message=sentences(f"{word(s, s.target)} waits: {text}", serving_now(s)),
            actions=tuple(actions),
            hold=hold(s, reason, until=until),
        )

    # What serves now may have to end first: nothing else may be left that waits for it to answer.
    if s.observed.deployment(s.target) or (s.strays and s.strategy == "Recreate"):
        return wait("OlderVersionsGoing", "older revisions are deleted first")
    if s.count == 0:
        return asleep(s, base, actions)
    if is_waking(s):
        return waking(s, base, actions)
    if s.paused and not s.stable_broken:
        return wait("Paused", f"paused by {s.paused}")
    left = [p for p in s.observed.pods_of(s.stable) if not s.is_stuck(p)]
    if s.strategy == "Recreate" and (left or replicas_of(s, s.stable)):
        if replicas_of(s, s.stable):
            actions.append(Scale(s.stable or "", 0))
        late = leaving(s, left)
        text = (
            f"scaling down {word(s, s.stable)} first; expect downtime until the new pods are ready"
        )
        return replace(
            base,
            message=f"Recreate: {text}{late.text}",
            actions=tuple(actions),
            hold=hold(s, "Downtime", pod=late.pod),
            requeue_after=late.recheck,
        )
    fault = s.router.fault(s)
    if fault:
        return wait(fault.reason, f"{fault.reason}: {fault.message}")
    color = s.router.color(s)
    if color is None:
        late = older(s)
        text = f"pods of an older revision terminate first{late.text}"
        return replace(
            wait("OlderVersionsGoing", text),
            hold=hold(s, "OlderVersionsGoing", pod=late.pod),
            requeue_after=UNSEEN,
        )
    step = next_step(s)
    count = s.router.needed(step.weight if step else 100, s.count)
    actions.append(CreateDeployment(s.target, color, startable(s, count)))
    return gathering(s, base, actions, step, count, s.settings.progress_deadline)


def _outlasting(s: Situation, base: Draft, other: str, at: float | None) -> Draft:
    """Stable is down and another version answers in its place: neither can go, so nothing of the
    wanted one is made yet (R0, R10)."""
    then = (
        f"if that lasts until {spoken(at)}, {word(s, other)} becomes stable and the rollout "
        "continues"
        if at is not None
        else "the rollout continues once it has one"
    )
    return replace(
        base,
        message=sentences(
            f"{word(s, s.target)} waits: {word(s, other)} cannot be deleted while "
            f"{word(s, s.stable)} has no ready pods",
            then,
        ),
        hold=hold(s, "StableDown", until=at, observed="0 ready", threshold="1 ready"),
        requeue_after=at - s.now if at is not None else None,
    )


def _succeeding(s: Situation, base: Draft, actions: list[Action], other: str) -> Draft:
    """Stable has not come back: who serves in its place is stable from now on, and the wanted
    version is rolled out beside it (R13). Nobody's traffic moves, and no pod (R14)."""
    deployment = s.observed.deployment(other)
    assert deployment is not None
    actions += s.router.promote(s, other, deployment.color, None, stamp(s.now))
    cause = Cause("StableDown", takeover.why(s))
    text = f"{word(s, other)} is stable: {cause.message}"
    return replace(
        base,
        message=sentences(text, f"{word(s, s.target)} is rolled out next"),
        actions=tuple(actions),
        stable=other,
        hold=hold(s, "OlderVersionsGoing"),
        outcome=outcome_of(s, other, "Promoted", cause.reason, cause),
        events=(Event("Warning", "StableDown", text),),
        requeue_after=0.0,
    )


def _failing(s: Situation, base: Draft, actions: list[Action], cause: Cause) -> Draft:
    """The candidate has failed: traffic first, in the same write as the latch (R8, R9)."""
    latched = replace(
        base,
        phase="RollingBack",
        carrying=True,
        failure=failure_of(s, cause),
        reason=cause.reason,
    )
    why = f"{cause.reason}: {cause.message}{where(cause.pod, cause.container)}"
    if not s.router.may_return(s):
        return unreturned(s, replace(latched, actions=tuple(actions)), why)
    moves = until_refused(s, (*actions, *s.router.back(s)))
    return returning(s, replace(latched, actions=moves), why)


def _holding(
    s: Situation, base: Draft, actions: list[Action], step: Step, recheck: float | None
) -> Draft:
    """At a step's weight, or about to be."""
    taken = s.router.taken(s, step.weight)
    moves = [] if taken else s.router.give(s, step.weight)
    if (taken or moves) and standing(s) is None:
        s = replace(s, moved=granted(s, step, begun(s)))
        base = replace(base, progress=begun(s))
    if not taken:
        actions += moves
        if s.route_kind:
            return routing(s, base, actions, step.weight, recheck)
        return gathering(s, base, actions, step, s.router.needed(step.weight, s.count), recheck)
    progress = arrived(s, step.weight)
    if progress.step_since is None:
        progress = progress.model_copy(update={"step_since": stamp(s.now)})
    onward = then(_after(s))
    # What it has is more while it answers in place of stable (see `core.routing.failover`).
    stands = "stands at" if s.standby == s.target else "has"
    has = f"{word(s, s.target)} {stands} weight {step.weight}"
    if all(x.weight != step.weight for x in s.steps):
        has += ", which spec.rollout.steps no longer lists,"
    held = replace(base, actions=tuple(actions), progress=progress, requeue_after=recheck)
    if s.paused:
        return replace(
            held,
            message=f"{has}, paused by {s.paused}; the step continues when it resumes, "
            f"then {onward}",
            hold=hold(s, "Paused"),
        )
    if step.pause is None:
        return replace(
            held,
            message=f"{has} and waits for the command promote, then {onward}",
            hold=hold(s, "Manual", threshold="command promote"),
        )
    until = parse(progress.step_since or stamp(s.now)) + step.pause
    if until > s.now:
        return replace(
            held,
            message=f"{has} until {spoken(until)}, then {onward}",
            hold=hold(s, "StepPause", until=until, threshold=length(step.pause)),
            requeue_after=min(x for x in (until - s.now, recheck) if x is not None),
        )
    if progress.analysis or gates.judges(s, step.weight):
        return _weighing(s, held, actions, step, until, onward)
    return _onward(s, replace(base, progress=progress), actions, ELAPSED)


def _weighing(
    s: Situation, held: Draft, actions: list[Action], step: Step, until: float, next_up: str
) -> Draft:
    """The step's time is over: it ends on evidence, or as the policy says without (R17)."""
    judging, progress = s.settings.analysis, held.progress
    assert progress is not None
    if judging is None or not gates.judges(s, step.weight):
        return replace(
            held,
            message=f"{word(s, s.target)} has weight {step.weight}, a step that began with an "
            "analysis which spec.rollout.analysis no longer asks for; it waits for the command "
            f"promote, then {next_up}",
            hold=hold(s, "AnalysisRemoved", threshold="command promote"),
        )
    evidence = gates.step_evidence(s, parse(progress.step_since or stamp(s.now)))
    if evidence and evidence.verdict is Verdict.PASS:
        return _onward(s, held, actions, PASSED)
    open_check = evidence.open if evidence else None
    spent = bool(evidence and evidence.exhausted and evidence.at >= until)
    lenient = judging.on_insufficient == PROMOTE and progress.analysis in (None, PROMOTE)
    if spent and open_check and lenient:
        text = f"revision {s.target}: check {open_check.check}: {open_check.message}; the rollout "
        text += "continues, as spec.rollout.analysis.onInsufficientData asks"
        onward = _onward(s, held, actions, INSUFFICIENT)
        event = Event("Warning", "AnalysisInsufficient", text)
        return replace(onward, events=(event, *onward.events))
    if evidence and evidence.frozen:
        return _frozen(s, held, step, evidence.frozen, next_up)
    unreached = open_check is not None and open_check.reason == UNREACHABLE
    if spent and open_check and judging.on_insufficient == "RollBack" and not unreached:
        return _failing(s, held, actions, gates.cause_of("InsufficientData", open_check))
    what = f"check {open_check.check}" if open_check else "the first analysis result"
    passes = f" to pass ({open_check.reason})" if open_check else ""
    reason = UNREACHABLE if unreached else "InsufficientData" if spent else "Analysis"
    old = s.status.hold
    told = old is not None and old.reason == reason
    text = f"revision {s.target} keeps weight {step.weight}: "
    return replace(
        held,
        message=f"{word(s, s.target)} has weight {step.weight} and waits for {what}{passes}, then "
        f"{next_up}",
        hold=hold(s, reason, threshold="every check passes"),
        events=(Event("Warning", reason, text + f"{what}: {open_check.message}"),)
        if reason == "InsufficientData" and open_check and not told
        else (),
    )


def _frozen(s: Situation, held: Draft, step: Step, failed: Finding, next_up: str) -> Draft:
    """A check has failed, and the spec asks to hold instead of rolling back."""
    return replace(
        held,
        message=f"{word(s, s.target)} keeps weight {step.weight}: check {failed.check} failed: "
        f"{failed.message}; it continues when the check passes, or by the command promote, then "
        f"{next_up}; the command abort rolls it back",
        hold=hold(
            s,
            gates.ANALYSIS_FAILED,
            observed=f"{failed.value:.6g}" if failed.value is not None else None,
            threshold=f"{failed.threshold:.6g}" if failed.threshold is not None else None,
        ),
    )


def _onward(s: Situation, base: Draft, actions: list[Action], by: str) -> Draft:
    """The pause is over, by `by`. What comes next is decided at once: a status of its own would say
    nothing to anybody."""
    progress = base.progress or begun(s)
    order = s.ordered("promote")
    ended = ordered_by(order) if order else progress.by if progress.full else None
    onward = released(s, progress, by).model_copy(update={"by": ended})
    rest = tuple(a for a in s.answers if a.command != "promote")
    then = rolling_out(replace(s, moved=onward, answers=rest))
    first = tuple(a for a in actions if a not in then.actions)
    return replace(then, actions=(*first, *then.actions))


def _promoting(s: Situation, base: Draft, actions: list[Action], color: str) -> Draft:
    """Every weight is done and all pods are ready: one write makes the candidate stable (R14)."""
    keep = s.settings.bake_time > 0 and s.strategy != "Recreate"
    previous = s.stable if keep else None
    actions += s.router.promote(s, s.target, color, previous, stamp(s.now))
    until = s.now + s.settings.bake_time
    warm = f"{word(s, s.stable)} stays warm until {spoken(until)}" if keep else ""
    text = sentences(f"{word(s, s.target)} is serving", warm)
    return replace(
        base,
        message=text,
        phase="Baking" if keep else "Ready",
        actions=tuple(actions),
        stable=s.target,
        candidate=None,
        progress=None,
        previous=previous,
        bake_since=stamp(s.now) if keep else None,
        hold=hold(s, "Bake", until=until, threshold=length(s.settings.bake_time)) if keep else None,
        outcome=outcome_of(s, s.target, "Promoted", "StepsDone", by=begun(s).by),
        events=(Event("Normal", "Promoted", f"revision {s.target} is live"),),
        requeue_after=s.settings.bake_time if keep else 0.0,
    )


def _after(s: Situation) -> Step | None:
    """The step after the present one; None when promotion follows."""
    if s.progress.full:
        return None
    over = replace(s, moved=released(s, s.progress, PROMOTION))
    return standing(over) or following(over)
