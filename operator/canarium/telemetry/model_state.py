"""What the metrics of one model are made of: a small copy of its spec and status."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from sys import intern
from typing import Any

from canarium.api.decode import UnsupportedResource, decode_status
from canarium.api.defaults import ROUTER, STRATEGY
from canarium.api.states import Phase
from canarium.api.status import CheckStatus, Status
from canarium.core.times import parse

#: Maximum characters of a label's value; what users write may be longer.
_LONGEST = 128
#: Maximum conditions of a model. The operator writes fewer; a status edited by hand may have more.
_CONDITIONS = 20


@dataclass(frozen=True, slots=True)
class CheckState:
    """The latest evaluation of a check: verdict, value, bound, stable's value, observations."""

    name: str
    verdict: str
    value: float | None = None
    bound: float | None = None
    stable: float | None = None
    samples: float | None = None


@dataclass(frozen=True, slots=True)
class RoleState:
    """A revision that runs, by its role; weights in percent."""

    role: str
    weight: int
    effective_weight: int
    replicas: int
    ready_replicas: int


@dataclass(frozen=True, slots=True)
class ModelState:
    """Texts are escaped and bounded, as values of labels."""

    #: Namespace and name, as the first labels of each series.
    labels: str
    #: Version and revision that serve, runtime, strategy, router.
    info: tuple[str, str, str, str, str]
    phase: str
    #: Type and status of each condition.
    conditions: tuple[tuple[str, str], ...]
    roles: tuple[RoleState, ...]
    #: Current step, and how many there are.
    step: tuple[int, int] | None
    #: What the model waits for, and since when in POSIX seconds.
    hold: tuple[str, float] | None
    #: The checks as the status has them.
    checks: tuple[CheckState, ...]


def model_state(raw: Mapping[str, Any]) -> ModelState:
    """Returns what the series of a raw model need. Never fails: what is damaged is left out."""
    spec, meta = raw.get("spec") or {}, raw["metadata"]
    try:
        status = decode_status(raw.get("status"))
    except UnsupportedResource:
        status = Status(phase=str((raw.get("status") or {}).get("phase") or Phase.PENDING))
    serving = status.stable
    info = (
        (serving and serving.version) or status.version or "",
        serving.revision if serving else "",
        _at(spec, "runtime", "name"),
        _at(spec, "rollout", "strategy") or STRATEGY,
        _at(spec, "traffic", "router") or ROUTER,
    )
    version, revision, runtime, strategy, router = map(escaped, info)
    return ModelState(
        labels=f'{{namespace="{escaped(meta["namespace"])}",name="{escaped(meta["name"])}"',
        info=(version, revision, runtime, intern(strategy), intern(router)),
        phase=intern(escaped(status.phase)),
        conditions=tuple(
            (intern(escaped(one.type)), intern(one.status))
            for one in status.conditions[:_CONDITIONS]
        ),
        roles=tuple(
            RoleState(role, one.weight, one.effective_weight, one.replicas, one.ready_replicas)
            for role in ("stable", "candidate", "previous")
            if (one := getattr(status, role)) is not None
        ),
        step=_step(status.step),
        hold=_hold(status),
        checks=tuple(map(_check, status.analysis.checks)) if status.analysis else (),
    )


def escaped(text: str) -> str:
    """Returns a text as the value of a label: bounded, and without what would end it."""
    text = text[:_LONGEST]
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _at(spec: Mapping[str, Any], part: str, field: str) -> str:
    value = (spec.get(part) or {}).get(field)
    return value if isinstance(value, str) else ""


def _step(text: str | None) -> tuple[int, int] | None:
    current, _, last = (text or "").partition("/")
    return (int(current), int(last)) if current.isdecimal() and last.isdecimal() else None


def _hold(status: Status) -> tuple[str, float] | None:
    if status.waiting_for is None:
        return None
    try:
        since = parse(status.waiting_for.start_time)
    except ValueError:
        return None
    return intern(escaped(status.waiting_for.reason)), since


def _check(check: CheckStatus) -> CheckState:
    """Returns the last evaluation that the status has; without any, the one of the verdict."""
    last = check.evaluations[-1] if check.evaluations else check
    return CheckState(
        escaped(check.name), last.verdict, last.value, last.threshold, last.stable, last.samples
    )
