"""The rollout that is under way in the cluster, and how long pods may take: both decide what
applying a file leads to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from canarium.api.base import seconds
from canarium.api.effective_spec import effective_spec
from canarium.api.model_deployment import Spec
from canarium.api.states import Phase
from canarium.core.facts.observed import ResolvedRuntime
from canarium.view.objects import number, part, text

Raw = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Running:
    """A rollout that is not over: `weight` is what its candidate has, 100 during the bake, in
    which the version `warm` still has its pods."""

    revision: str
    version: str
    phase: str
    weight: int
    warm: str = ""


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long pods may take, in seconds. `startup_budget` is the runtime's; None without one."""

    progress: float
    startup_budget: float | None


def running(model: Raw | None) -> Running | None:
    """Returns the rollout of a live model; None when it is settled, or has no stable yet."""
    status = part(model, "status")
    stable, candidate, phase = (
        part(status, "stable"),
        part(status, "candidate"),
        text(status, "phase"),
    )
    warm = text(part(status, "previous"), "revision")
    if phase == Phase.BAKING and warm:
        return Running(text(stable, "revision"), text(stable, "version"), phase, 100, warm)
    revision = text(candidate, "revision")
    if not revision or not text(stable, "revision"):
        return None
    weight = number(candidate, "effectiveWeight")
    return Running(revision, text(candidate, "version"), phase, weight)


def deadlines(spec: Raw, runtime: ResolvedRuntime) -> Deadlines:
    """Returns how long the pods of a revision may take to become ready."""
    settings = effective_spec(Spec.model_validate(spec), runtime.startup_budget)
    return Deadlines(settings.progress_deadline, runtime.startup_budget)


def resolved(server: Raw | None) -> ResolvedRuntime:
    """Returns what decisions use of a rendered server."""
    budget = (server or {}).get("startupBudget")
    return ResolvedRuntime(startup_budget=seconds(budget) if budget else None)
