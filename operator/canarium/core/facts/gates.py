"""Gates that have started to wait for a revision, as its record stores them (R27).

Theory. A gate holds the weight until its result is on the record of that very revision: the result
of a decision counts from the next one on, which reads it from the record. So a crash between any
two writes, a lost status and an edit of the spec never pass a gate. The record lists a gate from
the moment at which it starts to wait. From then on only its result releases it: a gate that is
removed from the spec or moved to a later point still holds the weight for this revision. A retry
stores another record, so its gates are judged again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from canarium.api.states import GateState
from canarium.core.facts.gate_jobs import MOST_ATTEMPTS
from canarium.core.times import parse, stamp

#: Maximum number of gates on a record.
MAXIMUM = 64
#: Characters of a Job; the API server limits all annotations of an object to 256 KiB.
LONGEST_JOB = 262_144
_RESULTS = (GateState.PASSED, GateState.REJECTED, GateState.TIMED_OUT)


@dataclass(frozen=True, slots=True)
class OpenedGate:
    """A gate that waits or has waited for its result; times are RFC 3339."""

    name: str
    kind: str
    before: str
    since: str
    weight: int | None = None
    #: Weight of the version when it started to wait, which does not rise before its result.
    at: int = 0
    #: Passed, Rejected or TimedOut; None while it waits.
    result: str | None = None
    time: str | None = None
    #: User who decided, as the admission policy verified, system or Job; and the comment.
    by: str | None = None
    comment: str | None = None
    #: Token of the command that decided.
    token: str | None = None
    #: The Job to run, as it was when the gate started to wait (JSON), the number of the attempt,
    #: and the UID of its Job once that exists (see `core.facts.gate_jobs`).
    job: str | None = None
    attempt: int | None = None
    uid: str | None = None
    #: Mark that the Job of the attempt carries; a Job of that name without it is foreign.
    nonce: str | None = None
    #: Number of the first attempt since the Job was last ordered to run again; None: never.
    first_attempt: int | None = None
    #: How the Job ended, and the results that it wrote (JSON).
    exit_code: int | None = None
    results: str | None = None


def gates_to_json(gates: Iterable[OpenedGate]) -> str:
    """Returns the value of the annotation; fields without a value are left out."""
    return json.dumps(
        [{key: value for key, value in asdict(gate).items() if value is not None} for gate in gates]
    )


def gates_from_json(text: str | None) -> tuple[OpenedGate, ...]:
    """Parses the annotation. Anything damaged is dropped, so that its gate waits again."""
    if not text:
        return ()
    try:
        parsed = json.loads(text)
        entries = list(parsed)[:MAXIMUM] if isinstance(parsed, list) else []
    except (ValueError, RecursionError):
        return ()
    gates = (_gate(entry) for entry in entries if isinstance(entry, Mapping))
    return tuple({gate.name: gate for gate in gates if gate}.values())


def _gate(entry: Mapping[str, Any]) -> OpenedGate | None:
    def text(key: str, length: int = 300) -> str | None:
        value = entry.get(key)
        return value[:length] if isinstance(value, str) and value else None

    name, kind, before, since = text("name"), text("kind"), text("before"), _time(text("since"))

    def percent(key: str) -> int | None:
        value = entry.get(key)
        return min(max(value, 0), 100) if isinstance(value, int) else None

    def number(key: str, most: int) -> int | None:
        value = entry.get(key)
        return min(max(value, 0), most) if isinstance(value, int) else None

    result = text("result")
    if not (name and kind and before and since):
        return None
    if result is not None and result not in _RESULTS:
        return None
    return OpenedGate(
        name=name,
        kind=kind,
        before=before,
        since=since,
        weight=percent("weight"),
        at=percent("at") or 0,
        result=result,
        time=_time(text("time")),
        by=text("by"),
        comment=text("comment", 1100),
        token=text("token"),
        job=text("job", LONGEST_JOB),
        attempt=number("attempt", MOST_ATTEMPTS),
        first_attempt=number("first_attempt", MOST_ATTEMPTS),
        uid=text("uid"),
        nonce=text("nonce"),
        exit_code=number("exit_code", 255),
        results=text("results", 5000),
    )


def _time(text: str | None) -> str | None:
    try:
        return stamp(parse(text)) if text else None
    except (ValueError, OverflowError):
        return None
