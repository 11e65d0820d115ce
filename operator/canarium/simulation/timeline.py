"""The result of a simulated rollout: its timeline, its writes and its pods."""

from __future__ import annotations

from dataclasses import dataclass

from canarium.core.decision import plan as p


@dataclass(frozen=True, slots=True)
class Moment:
    """The state of the model `t` seconds after the spec was applied."""

    t: float
    phase: str
    weight: int
    effective_weight: int
    message: str


@dataclass(frozen=True, slots=True)
class Usage:
    """Pods that the versions are to have when the new one reaches a weight."""

    weight: int
    candidate: int
    earlier: int


@dataclass(frozen=True, slots=True)
class SimulatedRollout:
    """A timeline with the writes that led to it, in order, and the pods of each weight; `before`
    is the number of pods when the spec is applied, and `peak` the largest one from then on."""

    moments: list[Moment]
    actions: list[p.Action]
    usage: list[Usage]
    before: int
    peak: int
