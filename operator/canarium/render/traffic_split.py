"""The split of traffic that a route implements: weights by revision, and its traffic record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Split:
    """`weights` are percent by revision, all of them backends; `versions` the users' words for
    them. `direct`: the candidate is reached by its header, or gets copies at weight 0."""

    weights: tuple[tuple[str, int], ...]
    candidate: str | None = None
    direct: bool = False
    versions: Mapping[str, str] = field(default_factory=dict)
    #: Annotations that say for whom it is so, changed in the same write (R18).
    notes: Mapping[str, str] = field(default_factory=dict)
