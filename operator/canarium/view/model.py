"""`view`: the tree of one model."""

from __future__ import annotations

from canarium.api.defaults import ROUTER, STRATEGY
from canarium.api.states import PauseSource, Phase
from canarium.view.ages import seconds_until
from canarium.view.attention import urgency
from canarium.view.failures import failure_of
from canarium.view.objects import Objects, Raw, items, number, optional_number, part, text
from canarium.view.revisions import age_of, revisions, target_of
from canarium.view.steps import position, steps
from canarium.view.tree import Check, Command, Condition, Evaluation, Gate, Problem, Tree, Wait


def view(objects: Objects, now: float, *, old: int = 0) -> Tree:
    """Returns the tree of a model at `now` (POSIX seconds), with up to `old` revisions that no
    longer run. Fields that are missing or odd are left out."""
    model = objects.model
    meta, spec, status = part(model, "metadata"), part(model, "spec"), part(model, "status")
    candidate, listed = part(status, "candidate"), steps(model)
    how_urgent, attention = urgency(model)
    commands = items(status, "commands")
    return Tree(
        namespace=text(meta, "namespace"),
        name=text(meta, "name"),
        phase=text(status, "phase") or Phase.PENDING.value,
        message=text(status, "message"),
        urgency=how_urgent,
        attention=attention,
        strategy=text(part(spec, "rollout"), "strategy") or STRATEGY,
        router=text(part(spec, "traffic"), "router") or ROUTER,
        target=target_of(model),
        version=text(status, "version"),
        weight=number(status, "weight") if candidate else None,
        effective_weight=number(candidate, "effectiveWeight") if candidate else None,
        replicas=number(status, "replicas"),
        ready_replicas=number(status, "readyReplicas"),
        age_seconds=age_of(model, now),
        observed=number(status, "observedGeneration") >= number(meta, "generation"),
        step=position(listed),
        steps=listed,
        revisions=revisions(objects, now, old=old),
        checks=checks(model),
        gates=gates(model),
        wait=_wait(part(status, "waitingFor"), now),
        failure=failure_of(part(status, "failure")),
        paused_by=_paused_by(part(status, "pause")),
        command=_command(commands[0]) if commands else None,
        problems=_problems(status),
        conditions=tuple(_condition(c) for c in items(status, "conditions")),
    )


def _paused_by(pause: Raw) -> str:
    """Returns what pauses the rollout, for people; empty while nothing does."""
    if text(pause, "source") == PauseSource.SPEC:
        return "spec.paused"
    token = text(pause, "token")
    return (f"command pause, token {token}" if token else "command pause") if pause else ""


def checks(model: Raw) -> tuple[Check, ...]:
    """Returns the checks of the analysis with their last verdicts."""
    return tuple(
        Check(
            name=text(c, "name"),
            verdict=text(c, "verdict"),
            reason=text(c, "reason"),
            message=text(c, "message"),
            value=optional_number(c, "value"),
            threshold=optional_number(c, "threshold"),
            stable=optional_number(c, "stable"),
            samples=number(c, "samples") if "samples" in c else None,
            time=text(c, "time"),
            evaluations=tuple(_evaluation(e) for e in items(c, "evaluations")),
            template=text(c, "template"),
        )
        for c in items(part(model, "status", "analysis"), "checks")
    )


def gates(model: Raw) -> tuple[Gate, ...]:
    """Returns the gates of the revision that the spec asks for."""
    return tuple(
        Gate(
            name=text(g, "name"),
            kind=text(g, "kind"),
            before=text(g, "before"),
            state=text(g, "state"),
            weight=number(g, "weight") if "weight" in g else None,
            start_time=text(g, "startTime"),
            time=text(g, "time"),
            by=text(g, "by"),
            message=text(g, "message"),
            results=text(g, "results"),
        )
        for g in items(part(model, "status"), "gates")
    )


def _evaluation(raw: Raw) -> Evaluation:
    return Evaluation(
        time=text(raw, "time"),
        verdict=text(raw, "verdict"),
        value=optional_number(raw, "value"),
        threshold=optional_number(raw, "threshold"),
        stable=optional_number(raw, "stable"),
        samples=number(raw, "samples") if "samples" in raw else None,
    )


def _wait(raw: Raw, now: float) -> Wait | None:
    if not raw:
        return None
    ends = text(raw, "expectedEndTime")
    return Wait(
        reason=text(raw, "reason"),
        start_time=text(raw, "startTime"),
        expected_end_time=ends,
        remaining_seconds=seconds_until(ends, now),
        observed=text(raw, "observed"),
        threshold=text(raw, "threshold"),
        pod=text(raw, "pod"),
        container=text(raw, "container"),
    )


def _command(raw: Raw) -> Command:
    return Command(
        command=text(raw, "command"),
        revision=text(raw, "revision"),
        token=text(raw, "token"),
        result=text(raw, "result"),
        message=text(raw, "message"),
        time=text(raw, "time"),
    )


def _condition(raw: Raw) -> Condition:
    return Condition(
        type=text(raw, "type"),
        status=text(raw, "status"),
        reason=text(raw, "reason"),
        message=text(raw, "message"),
        time=text(raw, "lastTransitionTime"),
    )


def _problems(status: Raw) -> tuple[Problem, ...]:
    """Returns rejected writes, blocked deletions and damage, in this order."""
    rejected = [
        Problem(text(x, "reason"), text(x, "object"), text(x, "message"))
        for x in items(status, "rejectedWrites")
    ]
    blocked = []
    for x in items(status, "blockedDeletions"):
        names = x.get("finalizers")
        listed = ", ".join(map(str, names)) if isinstance(names, list) else ""
        message = f"kept by the finalizers {listed}" if listed else "its pod has not ended"
        blocked.append(Problem("DeletionBlocked", text(x, "object"), message))
    damaged = [
        Problem(text(x, "reason"), text(x, "object"), text(x, "message"))
        for x in items(status, "warnings")
    ]
    return (*rejected, *blocked, *damaged)
