"""What a revision still owes that became stable only because it alone served (R12, R13, R27).

Theory. Such a revision has the role of stable, because the next version is rolled out beside it,
but it was not promoted: its pauses and gates are not over. Its record has this annotation from
before the write that makes it stable until it is released, so neither a crash nor a lost status nor
an edit of the spec turns the role into a promotion (decision 0011).
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from canarium.api.effective_spec import MANUAL
from canarium.core.facts.grant import pause_of
from canarium.core.times import parse, stamp

#: Annotation of the record, without the group; empty once the revision is released.
ANNOTATION = "took-over"


@dataclass(frozen=True, slots=True)
class Takeover:
    """When a revision became stable (RFC 3339), the pause that it owes, and what ended that."""

    time: str
    #: In the form of `grant.pause_text`; None before a spec has asked for the revision.
    pause: str | None = None
    #: Command that ended the pause, as `command/token`.
    released: str | None = None

    def to_text(self) -> str:
        """Returns the value of the annotation; fields without a value are left out."""
        facts = {"time": self.time, "pause": self.pause, "released": self.released}
        return json.dumps({key: value for key, value in facts.items() if value})


#: Stands for an annotation that cannot be read: only a command releases the revision.
_DAMAGED = Takeover(stamp(0.0), MANUAL)


def takeover_from_text(text: str | None) -> Takeover | None:
    """Parses the annotation; None without a value."""
    if not text:
        return None
    try:
        parsed = json.loads(text)
        time, pause = stamp(parse(parsed["time"])), parsed.get("pause")
        if pause is not None:
            pause_of(pause)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        return _DAMAGED
    released = parsed.get("released")
    return Takeover(time, pause, released[:300] if isinstance(released, str) else None)
