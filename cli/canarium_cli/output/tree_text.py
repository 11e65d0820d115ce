"""The tree of a model as lines for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from canarium.view.ages import short
from canarium.view.tree import (
    AttentionLevel,
    Check,
    Deployment,
    Gate,
    Pod,
    Revision,
    Role,
    Step,
    StepState,
    Tree,
)
from canarium_cli.output.lines import Line, Span, Style, bar, line, table

_MARKS = {StepState.DONE: "✔", StepState.CURRENT: "▸", StepState.NEXT: "·"}
_STEP_STYLES = {
    StepState.DONE: Style.GOOD,
    StepState.CURRENT: Style.ACTIVE,
    StepState.NEXT: Style.MUTED,
}
_URGENCY_STYLES = {
    AttentionLevel.OUTAGE: Style.BAD,
    AttentionLevel.FAILED: Style.BAD,
    AttentionLevel.BLOCKED: Style.WARNING,
    AttentionLevel.WAITS_FOR_PERSON: Style.WARNING,
    AttentionLevel.IN_PROGRESS: Style.ACTIVE,
    AttentionLevel.NONE: Style.GOOD,
}
_VERDICTS = {"Pass": ("✔", Style.GOOD), "Fail": ("✖", Style.BAD)}
_GATE_STYLES = {
    "Waiting": Style.WARNING,
    "Passed": Style.GOOD,
    "Rejected": Style.BAD,
    "TimedOut": Style.BAD,
}
ROLE_STYLES = {
    Role.STABLE: Style.GOOD,
    Role.CANDIDATE: Style.ACTIVE,
    Role.FAILED: Style.BAD,
    Role.PREVIOUS: Style.MUTED,
    Role.OLD: Style.MUTED,
}


def tree_lines(tree: Tree, now: float, width: int | None = None) -> list[Line]:
    """Returns the tree as lines; `now` (POSIX seconds) is for the age of the last command, and
    `width` the width of the terminal."""
    return [
        *_header(tree),
        *_progress(tree),
        *_failure(tree),
        line(),
        *_revisions(tree, width),
        *_checks(tree.checks, width),
        *_gates(tree.gates, width),
        *_problems(tree),
        *_command(tree),
    ]


def phase_span(phase: str, urgency: AttentionLevel) -> Span:
    """The phase in the color of its urgency."""
    return Span(phase, _URGENCY_STYLES[urgency])


def _field(name: str, *parts: Span | str) -> Line:
    return line(Span(f"{name:<12}", Style.MUTED), *parts)


def _header(tree: Tree) -> Iterator[Line]:
    yield _field("Model", Span(f"{tree.namespace}/{tree.name}", Style.TITLE))
    attention = f" ({tree.attention})" if tree.attention else ""
    yield _field("Phase", phase_span(tree.phase, tree.urgency), attention)
    if tree.message:
        yield _field("", tree.message)
    if not tree.observed:
        yield _field("", Span("The operator has not processed the latest spec yet.", Style.WARNING))
    yield _field("Strategy", f"{tree.strategy}, router {tree.router}")
    yield _field("Pods", f"{tree.ready_replicas}/{tree.replicas} ready")
    if tree.paused_by:
        yield _field("Paused", Span(f"by {tree.paused_by}", Style.WARNING))


def _progress(tree: Tree) -> Iterator[Line]:
    if tree.weight is not None:
        effective = tree.effective_weight or 0
        style = Style.ACTIVE if effective == tree.weight else Style.WARNING
        yield _field("Weight", Span(bar(tree.weight), Style.ACTIVE), f" {tree.weight} % wanted")
        yield _field("", Span(bar(effective), style), f" {effective} % effective")
    if tree.steps and tree.step:
        yield _field("Steps", *_steps(tree.steps))
    if tree.wait:
        wait = tree.wait
        left = wait.remaining_seconds
        ends = "" if left is None else f", {short(left)} left"
        values = (
            f" ({wait.observed} of {wait.threshold})" if wait.observed and wait.threshold else ""
        )
        where = f" pod {wait.pod}" if wait.pod else ""
        yield _field("Waiting for", Span(wait.reason, Style.ACTIVE), f"{values}{where}{ends}")


def _steps(steps: tuple[Step, ...]) -> Iterator[Span]:
    for step in steps:
        pause = f" ({step.pause})" if step.pause not in ("", "0s") else ""
        yield Span(
            f"{_MARKS[step.state]} {step.weight} %{pause}  ",
            _STEP_STYLES[step.state],
        )


def _failure(tree: Tree) -> Iterator[Line]:
    if tree.failure:
        f = tree.failure
        yield _field("Failed", Span(f.reason, Style.BAD), f": {f.message}")
        where = ", ".join(x for x in (f.position, f.pod and f"pod {f.pod}", f.container) if x)
        if where:
            yield _field("", where)


def _revisions(tree: Tree, width: int | None) -> list[Line]:
    rows: list[tuple[Span | str, ...]] = []
    for index, revision in enumerate(tree.revisions):
        last = index == len(tree.revisions) - 1
        rows.extend(_revision(revision, "└─ " if last else "├─ ", "   " if last else "│  "))
    if not rows:
        return []
    return table(("NAME", "KIND", "STATUS", "AGE", "INFO"), rows, width=width)


def _revision(revision: Revision, branch: str, below: str) -> Iterator[tuple[Span | str, ...]]:
    version = f" version {revision.version}" if revision.version else ""
    weight = f"weight {revision.weight} %"
    if revision.effective_weight != revision.weight:
        weight += f" (effective {revision.effective_weight} %)"
    live = revision.role in (Role.STABLE, Role.CANDIDATE, Role.PREVIOUS)
    yield (
        Span(f"{branch}{revision.revision}{version}"),
        "Revision",
        Span(revision.role.value, ROLE_STYLES[revision.role]),
        "",
        weight if live else "",
    )
    if revision.deployment:
        yield from _deployment(revision.deployment, below)


def _deployment(deployment: Deployment, below: str) -> Iterator[tuple[Span | str, ...]]:
    if deployment.name:
        full = deployment.ready == deployment.replicas
        scaler = deployment.autoscaler
        info = f"HPA {scaler.minimum}–{scaler.maximum}, wants {scaler.desired}" if scaler else ""
        if scaler and scaler.limited:
            info += f": {scaler.limited}"
        state = (
            "Terminating"
            if deployment.terminating
            else f"{deployment.ready}/{deployment.replicas} ready"
        )
        yield (
            f"{below}└─ {deployment.name}",
            "Deployment",
            Span(state, Style.GOOD if full and not deployment.terminating else Style.WARNING),
            "",
            info,
        )
        below += "   "
    for index, pod in enumerate(deployment.pods):
        yield _pod(pod, below + ("└─ " if index == len(deployment.pods) - 1 else "├─ "))


def _pod(pod: Pod, prefix: str) -> tuple[Span | str, ...]:
    usual = pod.state in ("Running", "Pending", "Terminating", "ContainerCreating")
    style = Style.GOOD if pod.ready else Style.WARNING if usual else Style.BAD
    mark = "✔" if pod.ready else "✖" if not usual else "◌"
    restarts = f"restarts {pod.restarts}" if pod.restarts else ""
    info = ", ".join(x for x in (restarts, pod.message) if x)
    return (
        f"{prefix}{pod.name}",
        "Pod",
        Span(f"{mark} {pod.state}", style),
        short(pod.age_seconds),
        info,
    )


def _checks(checks: tuple[Check, ...], width: int | None) -> list[Line]:
    if not checks:
        return []
    rows = [
        (
            check.name,
            verdict_span(check.verdict),
            value(check.value),
            value(check.threshold),
            value(check.stable),
            "-" if check.samples is None else str(check.samples),
            check.reason,
        )
        for check in checks
    ]
    head = ("CHECK", "VERDICT", "VALUE", "BOUND", "STABLE", "SAMPLES", "REASON")
    return [line(), *table(head, rows, width=width)]


def _gates(gates: tuple[Gate, ...], width: int | None) -> list[Line]:
    if not gates:
        return []
    rows = [
        (
            gate.name,
            gate.kind,
            gate.point,
            Span(gate.state, _GATE_STYLES.get(gate.state, Style.MUTED)),
            gate.time or gate.start_time or "-",
            ": ".join(x for x in (gate.by, gate.message, gate.results) if x) or "-",
        )
        for gate in gates
    ]
    head = ("GATE", "KIND", "BEFORE", "STATE", "SINCE", "DECISION")
    return [line(), *table(head, rows, width=width)]


def verdict_span(verdict: str) -> Span:
    """A verdict with its mark, in its color."""
    mark, style = _VERDICTS.get(verdict, ("?", Style.WARNING))
    return Span(f"{mark} {verdict}", style)


def value(number: float | None) -> str:
    """A measured value with at most four significant digits; `-` where there is none."""
    return "-" if number is None else f"{number:.4g}"


def _problems(tree: Tree) -> Iterator[Line]:
    if tree.problems:
        yield line()
        for problem in tree.problems:
            yield _field(
                "Problem", Span(problem.reason, Style.BAD), f" {problem.object}: {problem.message}"
            )


def _command(tree: Tree) -> Iterator[Line]:
    if tree.command:
        c = tree.command
        style = Style.GOOD if c.result == "Accepted" else Style.BAD
        yield line()
        yield _field(
            "Command", f"{c.command} {c.revision}: ", Span(c.result, style), f", {c.message}"
        )
