"""The progress deadline: it counts waiting for pods, and nothing else (R7)."""

from __future__ import annotations

from canarium.core.context.context import Situation
from canarium.core.facts.observed import Pod
from canarium.core.times import parse


def ready_by(s: Situation) -> float | None:
    """When the candidate's pods have to be ready, and those that are have to be among the
    endpoints; None when none are waited for. What happened in time counts as such, also where
    nobody looked until later (R18)."""
    due, last = waited_until(s), last_ready(s)
    since = last.ready_changed if last else None
    if due is None or since is None or since > due:
        return due
    # Behind a route, what is waited for then is the gateway, for which no deadline counts.
    unserved = not s.route_kind and s.given and not s.observed.served_by(s.target)
    return max(due, since + s.settings.progress_deadline) if unserved else None


def waited_until(s: Situation) -> float | None:
    """When the time is over that the candidate's pods have to get ready in; None when none are
    waited for."""
    if s.progress.waiting_since is None:
        return None
    began = min(s.now, parse(s.progress.waiting_since))
    return began - s.progress.waited + s.settings.progress_deadline


def last_ready(s: Situation) -> Pod | None:
    """The pod that was the last to get ready, once the candidate has all that it asked for."""
    deployment = s.observed.deployment(s.target)
    wanted = deployment.replicas if deployment else 0
    ready = [p for p in s.observed.pods_of(s.target) if p.serves]
    if not 0 < wanted <= len(ready):
        return None
    return max(ready, key=lambda p: p.ready_changed or 0.0)
