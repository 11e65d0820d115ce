"""The split of traffic that a route implements: weights by revision, and its traffic record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Split:
    """`weights` are percentages by revision, each of which is a backend; `versions` are users'
    names for them. `direct`: the candidate is reachable by its header, or gets mirrored
    requests."""

    weights: tuple[tuple[str, int], ...]
    candidate: str | None = None
    direct: bool = False
    versions: Mapping[str, str] = field(default_factory=dict)
    #: Annotations that record the traffic, changed in the same write (R18).
    notes: Mapping[str, str] = field(default_factory=dict)
