"""Jobs of gates of kind `job`, and what their pods report (R27).

Theory. The record has the Job as it was when its gate started to wait, the number of the attempt,
and the UID of its Job once that was created. So a restart repeats nothing:

- No UID and no Job: it is created. Its name has the number of the attempt, so a second creation
  meets the first.
- A UID and no Job of it, or one that was stopped without a result: the attempt is lost. The next
  one is recorded before its Job is created; after the last one the gate waits without a Job.
- A person orders another run: the next attempt is recorded with the token of the command, and the
  Job that still runs is deleted.
- A Job that has ended by itself: its pod has the exit code and the termination message.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from enum import StrEnum

from canarium.api.states import JobState
from canarium.core.facts.revision import short_name

#: Maximum number of Jobs for one revision and gate, and again for each order to run it again.
ATTEMPTS = 3
#: Maximum number of an attempt, because the name of its Job has two digits, and of the last one
#: after which another run may be ordered.
MOST_ATTEMPTS = 99
LAST_RERUN = MOST_ATTEMPTS - ATTEMPTS
#: Seconds from the start of a gate until its Job: the Services that the Job asks are made at the
#: start, and each node forwards their connections only once its proxy has seen them, by default
#: within a second.
REACHABLE_AFTER = 3.0
#: End of the name of a Service for Jobs of gates.
GATE_SERVICE = "-gate"
_LENGTH = 5


class JobOutcome(StrEnum):
    """What the pod of a Job means for its gate."""

    PASSED = "Passed"
    FAILED = "Failed"
    #: It ended without a result.
    LOST = "Lost"
    UNFINISHED = "Unfinished"


@dataclass(frozen=True, slots=True)
class GateJob:
    """A Job of a gate."""

    name: str
    uid: str
    revision: str
    state: str = JobState.RUNNING
    terminating: bool = False
    #: Mark of the attempt for which the operator created it.
    nonce: str | None = None


@dataclass(frozen=True, slots=True)
class GateService:
    """The Service of one revision for Jobs of gates; `endpoints` are its ready pods."""

    name: str
    uid: str
    revision: str
    endpoints: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class JobRequest:
    """Whose pod to read; `state` is that of the Job, so that a change of it is read at once."""

    name: str
    uid: str
    state: str


@dataclass(frozen=True, slots=True)
class JobReport:
    """What the pod of a Job shows. `text` is its message, or what keeps it from running.

    `results` is a JSON object that the Job wrote. `blocked`: the pod cannot run now.
    """

    request: JobRequest
    outcome: JobOutcome
    exit_code: int | None = None
    text: str = ""
    results: str | None = None
    blocked: bool = False


def job_name(model: str, revision: str, gate: str, attempt: int) -> str:
    """Returns the name of the Job of an attempt, at most 63 characters."""
    digest = short_name(hashlib.sha256(gate.encode()).hexdigest())
    return f"{model}-{revision}-{digest[:_LENGTH]}-{attempt}"


def job_nonce(*facts: object) -> str:
    """Returns the mark of the Jobs of a gate: 32 characters that depend on all `facts`."""
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:32]


def service_name(model: str, revision: str) -> str:
    """Returns the name of the Service of a revision for Jobs of gates."""
    return f"{model}-{revision}{GATE_SERVICE}"


def expanded(template: str, own: str) -> str | None:
    """Returns the Job of a ModelGate with the fields of a gate in place of its fields, environment
    variables by name; all are JSON. None if either is not an object."""
    try:
        base, fields = json.loads(template), json.loads(own)
    except (ValueError, RecursionError):
        return None
    if not (isinstance(base, dict) and isinstance(fields, dict)):
        return None
    job = {**base, **fields}
    if "env" in base and "env" in fields:
        replaced = {variable["name"] for variable in fields["env"]}
        job["env"] = [v for v in base["env"] if v["name"] not in replaced] + fields["env"]
    return json.dumps(job, sort_keys=True, separators=(",", ":"))
