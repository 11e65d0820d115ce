"""What the phases without a stable version, Starting and Failed, have in common (R3)."""

from __future__ import annotations

from canarium.core.context.context import Situation
from canarium.core.context.progress import current_progress
from canarium.core.decision.phase_result import PhaseResult
from canarium.core.decision.plan import Route
from canarium.core.facts.traffic_record import TrafficRecord
from canarium.core.facts.weights import safe_to_select
from canarium.core.phases.deployments import delete_revisions, store_revision


def without_stable(s: Situation) -> PhaseResult:
    """Returns the result in which the Service selects nothing and obsolete revisions are deleted.

    A Service that selects ready pods already, as after a lost status, is left as it is (R0).
    """
    base = PhaseResult(actions=store_revision(s), candidate=s.target, progress=current_progress(s))
    service = s.observed.service
    if service and service.color is not None and safe_to_select(None, s.observed):
        base = base.also(Route(None, TrafficRecord(candidate=s.target)))
    return base.also(*delete_revisions(s, s.strays))
