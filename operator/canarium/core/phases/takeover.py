"""Who takes the place of a stable that does not come back, so that a broken stable does not block
the fix of its fix either (R13, decision 0011)."""

from __future__ import annotations

from canarium.core.context.context import Situation
from canarium.core.outcomes.moves import replicas_of, word
from canarium.core.times import length


def heir(s: Situation) -> str | None:
    """The version before the wanted one that answers all callers for want of a ready pod of
    stable, and so can neither go (R0) nor make room for the wanted one."""
    if s.down_since is None:
        return None
    previous = (s.previous,) if s.previous and s.previous != s.target else ()
    return next((x for x in (*s.strays, *previous) if _answers_alone(s, x)), None)


def _answers_alone(s: Situation, revision: str) -> bool:
    """Whether all callers are answered by `revision`, and would be by its colour (R4)."""
    deployment = s.observed.deployment(revision)
    same = [p for p in s.observed.pods if p.serves and deployment and p.color == deployment.color]
    alone = bool(same) and all(p.revision == revision for p in same)
    return alone and s.router.share(s, revision) == 100


def succeeds_at(s: Situation) -> float | None:
    """When the heir becomes stable: stable has as long to come back as a candidate has to get
    ready, unless it was taken down for the heir (R22). None without one, while paused, and while no
    change of traffic would be taken."""
    if s.down_since is None or s.paused or heir(s) is None or s.router.fault(s):
        return None
    return s.down_since + (0.0 if _taken_down(s) else s.settings.progress_deadline)


def why(s: Situation) -> str:
    """Why stable is succeeded, in words."""
    if _taken_down(s):
        return f"{word(s, s.stable)} was taken down for it"
    return f"{word(s, s.stable)} had no ready pod for {length(s.settings.progress_deadline)}"


def _taken_down(s: Situation) -> bool:
    return s.strategy == "Recreate" and not replicas_of(s, s.stable)
