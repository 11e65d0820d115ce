"""Pods that are to go and do not, as on a node that is gone: who waits for them names one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from canarium.core.bookkeeping.upkeep import EMPTYING, UNSEEN
from canarium.core.context.context import Situation
from canarium.core.facts.observed import Pod
from canarium.core.outcomes.blocked_deletions import finalizers
from canarium.core.times import parse, spoken


@dataclass(frozen=True, slots=True)
class Leaving:
    """The first pod that is overdue, and that in words; else seconds until one may be."""

    pod: str | None = None
    text: str = ""
    recheck: float | None = None


def leaving(s: Situation, pods: Iterable[Pod]) -> Leaving:
    """What is to be said of `pods`, which are waited for until they are gone."""
    hold, waits = s.status.hold, list[float]()
    for pod in sorted(pods, key=lambda pod: pod.name):
        if pod.terminating and pod.ends is not None:
            due, text = pod.ends, f"should have ended at {spoken(pod.ends)}"
            kept = s.observed.holding("Pod", pod.name)
            text += f" and is kept by {finalizers(kept)}" if kept else ""
        elif not pod.terminating and s.observed.deployment(pod.revision) is None:
            due = parse(hold.since) if hold and hold.reason in EMPTYING else s.now
            text = "belongs to no Deployment of this model"
        else:
            continue
        left = due + UNSEEN - s.now
        if left <= 0:
            return Leaving(pod.name, f" (pod {pod.name} {text})")
        waits.append(left)
    return Leaving(recheck=min(waits, default=None))


def older(s: Situation) -> Leaving:
    """The same of pods that have no part in what is wanted, and so may keep a colour from it."""
    return leaving(s, (p for p in s.observed.pods if p.revision not in (s.stable, s.target)))
