"""Records the settings with which the rollout of the target started (R12, R18)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from canarium.core.context.context import RolloutContext
from canarium.core.decision.phase_result import PhaseResult
from canarium.core.decision.plan import Action, AnnotateRevision, CreateDeployment, StoreRevision
from canarium.core.facts.rollout_settings import ANNOTATION, RolloutSettings


def with_settings(ctx: RolloutContext, moves: Iterable[Action]) -> tuple[Action, ...]:
    """Returns `moves` with the settings in the write that stores a new record."""
    if ctx.stable is None:
        return tuple(moves)
    text = _text(ctx)
    return tuple(
        replace(action, settings=text) if isinstance(action, StoreRevision) else action
        for action in moves
    )


def recorded_settings(
    ctx: RolloutContext, result: PhaseResult, moves: Iterable[Action]
) -> tuple[AnnotateRevision, ...]:
    """Returns the write of the settings on a record that has others: that of a version that
    returns, or that of a rollout whose steps were edited before its first weight.

    It precedes all other writes. From the first weight on, the traffic record has the settings.
    """
    record = ctx.observed.record(ctx.target)
    if record is None or ctx.stable is None or ctx.target == ctx.stable or ctx.grant:
        return ()
    if ctx.quarantined or result.failure is not None:
        return ()
    if ctx.record_rejection(ctx.target):
        return ()
    starts = any(isinstance(a, CreateDeployment) and a.revision == ctx.target for a in moves)
    if not (starts or ctx.is_created) or record.rollout_settings == _text(ctx):
        return ()
    return (AnnotateRevision(ctx.target, ((ANNOTATION, _text(ctx)),)),)


def _text(ctx: RolloutContext) -> str:
    return RolloutSettings(ctx.strategy, ctx.steps).to_text()
