"""Phase RolledBack: the target has failed, no Deployment of it is left, and stable serves (R9)."""

from __future__ import annotations

from canarium.core.context.context import RolloutContext
from canarium.core.decision.phase_result import PhaseResult
from canarium.core.phases.rolling_back import rolling_back


def rolled_back(ctx: RolloutContext) -> PhaseResult:
    """Keeps traffic on stable, as in phase RollingBack: a route may be edited by hand, and pods may
    still terminate."""
    return rolling_back(ctx)
