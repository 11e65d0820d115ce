"""What a candidate waits for: each wait as a draft, with what is said of it and what is kept."""

from __future__ import annotations

from dataclasses import replace

from canarium.api.effective_spec import Step
from canarium.core.context.context import Situation
from canarium.core.context.deadlines import waited_until
from canarium.core.context.router import Fault
from canarium.core.decision.phase_result import Draft
from canarium.core.decision.plan import Action, Route, Weigh
from canarium.core.health import gates
from canarium.core.health.pods import Cause
from canarium.core.outcomes.messages import sentences
from canarium.core.outcomes.moves import arrived, hold, lacking, unasked, waiting, where, word
from canarium.core.outcomes.refusals import blocked, quoted
from canarium.core.times import parse, spoken


def gathering(
    s: Situation,
    base: Draft,
    actions: list[Action],
    step: Step | None,
    need: int,
    recheck: float | None,
) -> Draft:
    """Waits for the pods that the next weight needs (R5)."""
    refused = unasked(s, need)
    if refused:
        text = f"the API server rejects scaling to {need} replicas: {quoted(refused)}"
        fault = Fault("Refused", text, refused)
        return faulty(s, base, actions, fault, recheck)
    ready = s.observed.ready(s.target)
    actions += _kept(s, actions, relief=True)
    lost = _lost(s)
    missing = lacking(s)
    if missing:
        return _starved(s, base, actions, need, missing, recheck)
    progress = waiting(s, need)
    until = waited_until(s)
    if until is None:
        until = s.now - progress.waited + s.settings.progress_deadline
    held = _kept_weight(s)
    what = "pod" if need == 1 else "pods"
    text = (
        f"{word(s, s.target)} {held}{lost}, waiting for {need} ready {what} until {spoken(until)}, "
        f"then {then(step)}"
    )
    late = next((p for p in s.observed.pods_of(s.target) if not p.ready), None)
    stuck = next((c for c in late.containers if c.waiting), None) if late else None
    unplaced = late is not None and (late.gated or late.unschedulable_since is not None)
    return replace(
        base,
        message=text,
        actions=tuple(actions),
        progress=progress,
        hold=hold(
            s,
            "WaitingForPods",
            until=until,
            observed=f"{ready} ready",
            threshold=f"{need} ready",
            pod=late.name if late and (stuck or unplaced) else None,
            container=stuck.name if stuck else None,
        ),
        requeue_after=recheck,
    )


def _lost(s: Situation) -> str:
    """That a candidate which had traffic has no ready pod any more, and what became of them."""
    if not s.progress.weight or s.observed.ready(s.target):
        return ""
    pods = s.observed.pods_of(s.target)
    since = parse(s.progress.step_since) if s.progress.step_since else s.now
    gone = [p for p in pods if p.terminating]
    anew = [p for p in pods if not p.terminating and p.created >= since]
    why = "its pods were deleted" if gone or anew or not pods else "its pods are not ready"
    return f" but has no ready pod, since {why}"


def _starved(
    s: Situation,
    base: Draft,
    actions: list[Action],
    need: int,
    missing: Cause,
    recheck: float | None,
) -> Draft:
    """It had its pods, and one that takes the place of another cannot start: no fault of its own,
    so no deadline counts (R25)."""
    fault = Fault(missing.reason, f"{missing.message}{where(missing.pod, missing.container)}")
    return replace(
        faulty(s, base, actions, fault, recheck),
        hold=hold(
            s,
            missing.reason,
            observed=f"{s.observed.ready(s.target)} ready",
            threshold=f"{need} ready",
            pod=missing.pod,
            container=missing.container,
        ),
    )


def _kept(s: Situation, actions: list[Action], *, relief: bool) -> list[Action]:
    """Keeps to the weight that is reached, unless the traffic moves in this decision already."""
    moves = any(isinstance(action, Route | Weigh) for action in actions)
    return [] if moves else s.router.keep(s, relief=relief)


def routing(
    s: Situation, base: Draft, actions: list[Action], weight: int, recheck: float | None
) -> Draft:
    """The route was told a weight; it counts once every gateway has taken it (R6)."""
    kept = _kept_weight(s)
    silent = s.observed.route.silent if s.observed.route else ()
    who = ", ".join(silent) or "the gateway"
    return replace(
        base,
        message=f"{word(s, s.target)} {kept}, waiting for {who} to take weight {weight}",
        actions=tuple(actions),
        progress=arrived(s, s.progress.weight),
        hold=hold(s, "WaitingForGateway", threshold=f"weight {weight}"),
        requeue_after=recheck,
    )


def faulty(
    s: Situation, base: Draft, actions: list[Action], fault: Fault, recheck: float | None
) -> Draft:
    """No new weight would be taken: what is reached stays, and it is still judged."""
    kept = _kept_weight(s)
    return replace(
        base,
        message=f"{word(s, s.target)} {kept}: {fault.reason}: {fault.message}",
        actions=(*actions, *_kept(s, actions, relief=False)),
        progress=arrived(s, s.progress.weight),
        hold=hold(s, fault.reason),
        requeue_after=recheck,
        refusal=fault.refusal,
    )


def testing(
    s: Situation, base: Draft, actions: list[Action], step: Step | None, recheck: float | None
) -> Draft:
    """Enough pods are ready; before any traffic they have to pass the smoke tests (R4)."""
    ready = s.observed.ready(s.target)
    pods = "pod" if ready == 1 else "pods"
    found = gates.inconclusive_tests(s)
    what = f"smoke tests run against {ready} {pods}, then {then(step)}"
    return replace(
        base,
        message=f"{word(s, s.target)} {_kept_weight(s)}: {': '.join(found) if found else what}",
        actions=tuple(actions),
        progress=arrived(s, s.progress.weight),
        hold=hold(s, gates.smoke_wait(s)),
        requeue_after=recheck,
    )


def paused(s: Situation, base: Draft, actions: list[Action], recheck: float | None) -> Draft:
    """Paused where no step is held: what is reached stays, nothing rises."""
    kept = _kept_weight(s)
    more = _kept(s, actions, relief=False)
    return replace(
        base,
        message=f"{word(s, s.target)} {kept}, paused by {s.paused}",
        actions=(*actions, *more),
        progress=arrived(s, s.progress.weight),
        hold=hold(s, "Paused"),
        requeue_after=recheck,
    )


def returning(s: Situation, base: Draft, why: str) -> Draft:
    """It has failed, and callers are not off it yet: the write is under way, or refused (R8)."""
    refused = blocked(s)
    if refused:
        return replace(
            base,
            message=sentences(
                f"{word(s, s.target)} failed ({why}) and {traffic_kept(s, s.target)}: "
                f"{quoted(refused)}",
                f"It is rolled back to {word(s, s.stable)} as soon as the write is allowed",
            ),
            hold=hold(s, "RollbackBlocked"),
            refusal=refused,
        )
    return replace(
        base,
        message=f"Rolling back {word(s, s.target)}: {why}; its pods will be deleted once they no "
        "longer receive traffic",
        hold=hold(s, "FailedPodsGoing"),
    )


def traffic_kept(s: Situation, revision: str | None) -> str:
    """What a failed version does to which callers are still led: without a ready pod it answers
    nobody (R29)."""
    return (
        "keeps its traffic" if s.observed.ready(revision) else "is still selected with 0 ready pods"
    )


def unreturned(s: Situation, base: Draft, why: str) -> Draft:
    """It has failed, for good, but stable has no ready pod yet to take the traffic (R0, R8)."""
    return replace(
        base,
        message=sentences(
            f"{word(s, s.target)} failed ({why}) and keeps its traffic: {word(s, s.stable)} has "
            "no ready pods",
            "It is rolled back as soon as it does",
        ),
        hold=hold(s, "RollbackHeld", observed="0 ready", threshold="1 ready"),
    )


def _kept_weight(s: Situation) -> str:
    if s.standby == s.target:
        return f"stands at weight {s.progress.weight}"
    return f"keeps weight {s.progress.weight}" if s.progress.weight else "gets no traffic yet"


def then(step: Step | None) -> str:
    return f"weight {step.weight}" if step else "it is promoted"
