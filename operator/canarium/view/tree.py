"""The tree that every face shows: `get`, `-o json`, the dashboard and the tests.

All values are plain: strings, numbers, and tuples of parts. Times are RFC 3339 in UTC, durations
are seconds, weights are percent.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass
from enum import StrEnum
from typing import Any


class Role(StrEnum):
    """What a revision is to its model now."""

    STABLE = "Stable"
    CANDIDATE = "Candidate"
    PREVIOUS = "Previous"
    FAILED = "Failed"
    OLD = "Old"


class StepState(StrEnum):
    """Where a rollout is, beside one of its steps."""

    DONE = "Done"
    CURRENT = "Current"
    NEXT = "Next"


class AttentionLevel(StrEnum):
    """How much a model needs a person, the most urgent first."""

    OUTAGE = "Outage"
    FAILED = "Failed"
    BLOCKED = "Blocked"
    WAITS_FOR_PERSON = "WaitsForPerson"
    IN_PROGRESS = "InProgress"
    NONE = "None"

    @property
    def needs_attention(self) -> bool:
        """Whether a person has something to investigate or to decide."""
        return self not in (AttentionLevel.IN_PROGRESS, AttentionLevel.NONE)


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod. `state` is the phase of the pod, or what its first unready container waits for."""

    name: str
    state: str
    ready: bool
    restarts: int
    age_seconds: float | None
    node: str = ""
    reason: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Autoscaler:
    """A HorizontalPodAutoscaler. `limited` is why it cannot scale, if it cannot."""

    name: str
    minimum: int
    maximum: int
    desired: int
    limited: str = ""


@dataclass(frozen=True, slots=True)
class Deployment:
    """A Deployment with its pods, the newest first."""

    name: str
    replicas: int
    ready: int
    pods: tuple[Pod, ...] = ()
    autoscaler: Autoscaler | None = None
    terminating: bool = False


@dataclass(frozen=True, slots=True)
class Revision:
    """A revision that runs or is remembered. `weight` is what is wanted of the traffic."""

    revision: str
    role: Role
    version: str = ""
    number: int = 0
    weight: int = 0
    effective_weight: int = 0
    replicas: int = 0
    ready_replicas: int = 0
    artifact: str = ""
    image: str = ""
    created: str = ""
    deployment: Deployment | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """A step of the rollout. `pause` is `Manual`, a duration, or empty for none."""

    number: int
    weight: int
    pause: str
    state: StepState


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One evaluation of a check: the verdict on a window that ended at `time`, with its values."""

    time: str
    verdict: str
    value: float | None = None
    threshold: float | None = None
    stable: float | None = None
    samples: int | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """A check of the analysis, with the values that its verdict is based on. `evaluations` are the
    last ones up to the last write of the status, the newest last."""

    name: str
    verdict: str
    reason: str
    message: str
    value: float | None = None
    threshold: float | None = None
    stable: float | None = None
    samples: int | None = None
    time: str = ""
    evaluations: tuple[Evaluation, ...] = ()
    #: The template that it is from, such as CheckTemplate/slo; empty for one of the spec itself.
    template: str = ""


@dataclass(frozen=True, slots=True)
class Gate:
    """A gate of the revision that the spec asks for. `by` and `message` are of the decision."""

    name: str
    kind: str
    before: str
    state: str
    weight: int | None = None
    start_time: str = ""
    time: str = ""
    by: str = ""
    message: str = ""
    #: Results that a Job wrote, as JSON.
    results: str = ""

    @property
    def point(self) -> str:
        """What the gate holds, such as `Weight 50`."""
        return self.before if self.weight is None else f"{self.before} {self.weight}"


@dataclass(frozen=True, slots=True)
class Wait:
    """What the rollout waits for. `remaining_seconds` is None unless the end is known."""

    reason: str
    start_time: str
    expected_end_time: str = ""
    remaining_seconds: float | None = None
    observed: str = ""
    threshold: str = ""
    pod: str = ""
    container: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why the revision of the current spec is quarantined."""

    revision: str
    reason: str
    message: str
    time: str
    pod: str = ""
    container: str = ""
    observed: str = ""
    threshold: str = ""
    samples: int | None = None
    weight: int | None = None
    step: str = ""

    @property
    def position(self) -> str:
        """How much traffic it received when it failed, and at which step, for people; empty where
        that is unknown.

        The step is the current one from its start, so that a revision which fails before its first
        weight takes effect has no traffic at step 1.
        """
        if self.weight is None:
            return ""
        share = f"{self.weight} % of the traffic" if self.weight else "no traffic"
        return f"while it received {share}" + (f" (step {self.step})" if self.step else "")


@dataclass(frozen=True, slots=True)
class Command:
    """A command that the operator has answered."""

    command: str
    revision: str
    token: str
    result: str
    message: str
    time: str


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is wrong beside the rollout: a rejected write, a blocked deletion, damage."""

    reason: str
    object: str
    message: str


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition of the model."""

    type: str
    status: str
    reason: str
    message: str
    time: str


@dataclass(frozen=True, slots=True)
class Tree:
    """All that is seen of one model at one moment."""

    namespace: str
    name: str
    phase: str
    message: str
    urgency: AttentionLevel
    attention: str
    strategy: str
    router: str
    #: The revision that the spec asks for, as commands have to name it; empty before the first.
    target: str
    version: str
    #: Wanted and effective percentage of the candidate; None without one.
    weight: int | None
    effective_weight: int | None
    replicas: int
    ready_replicas: int
    age_seconds: float | None
    #: False while the status is about an earlier spec.
    observed: bool
    #: Such as `2/4`; empty outside a rollout with steps.
    step: str = ""
    steps: tuple[Step, ...] = ()
    revisions: tuple[Revision, ...] = ()
    checks: tuple[Check, ...] = ()
    gates: tuple[Gate, ...] = ()
    wait: Wait | None = None
    failure: Failure | None = None
    paused_by: str = ""
    command: Command | None = None
    problems: tuple[Problem, ...] = ()
    conditions: tuple[Condition, ...] = ()


def to_json(value: Any) -> Any:
    """Returns a tree, or a part of one, as JSON values with names in camelCase.

    Absent values are left out, so that `null` and a missing field never differ in meaning.
    """
    if is_dataclass(value) and not isinstance(value, type):
        values = {_camel(f.name): to_json(getattr(value, f.name)) for f in fields(value)}
        return {name: x for name, x in values.items() if x is not None and x != "" and x != []}
    if isinstance(value, tuple | list):
        return [to_json(x) for x in value]
    if isinstance(value, StrEnum):
        return value.value
    return value


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.title() for word in rest)
