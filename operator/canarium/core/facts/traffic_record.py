"""The traffic record: annotations of the callers' Service, and of the route in front of it, that
state which revisions the current split of traffic is for.

It changes in the same write as selector or weights, so it is correct after a crash between any two
writes (R18), and a lost status is rebuilt from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from canarium import GROUP
from canarium.core.facts.grant import Grant
from canarium.core.times import parse, stamp

#: Field → annotation.
ANNOTATIONS: Mapping[str, str] = {
    "stable": f"{GROUP}/stable",
    "candidate": f"{GROUP}/candidate",
    "quarantined": f"{GROUP}/quarantined",
    "previous": f"{GROUP}/previous",
    "promoted_at": f"{GROUP}/promoted-at",
    "traffic_since": f"{GROUP}/traffic-since",
    "images": f"{GROUP}/images",
    "grant": f"{GROUP}/rollout",
}


@dataclass(frozen=True, slots=True)
class TrafficRecord:
    """Which revisions have traffic, since when, and which one lost it; times are RFC 3339."""

    stable: str | None = None
    candidate: str | None = None
    #: Revision that failed and lost its traffic in this write (R9).
    quarantined: str | None = None
    #: Revision that is kept warm after a promotion (R15).
    previous: str | None = None
    #: When `stable` was promoted.
    promoted_at: str | None = None
    #: Revision that was last to receive traffic, and since when: `revision/time`.
    traffic_since: str | None = None
    #: Images that their pods run, by revision (JSON).
    images: str | None = None
    #: What the rollout has granted `candidate`.
    grant: Grant | None = None

    @classmethod
    def from_annotations(cls, annotations: Mapping[str, str]) -> TrafficRecord:
        """Parses the record of an object. An invalid time is dropped."""
        values = {field: annotations.get(name) for field, name in ANNOTATIONS.items()}
        grant, promoted_at = Grant.from_text(values.pop("grant")), _time(values.pop("promoted_at"))
        return cls(**values, grant=grant, promoted_at=promoted_at)

    def to_annotations(self) -> dict[str, str]:
        """Returns the annotations to write; a field without a value has none."""
        written = {ANNOTATIONS[f.name]: getattr(self, f.name) for f in fields(self)}
        if self.grant:
            written[ANNOTATIONS["grant"]] = self.grant.to_text()
        return {name: text for name, text in written.items() if text}

    @property
    def promoted(self) -> float | None:
        """When `stable` was promoted, in POSIX seconds."""
        return parse(self.promoted_at) if self.promoted_at else None


#: The record of an object without any of these annotations.
NO_RECORD = TrafficRecord()


def _time(text: str | None) -> str | None:
    try:
        return stamp(parse(text)) if text else None
    except (ValueError, OverflowError):
        return None
