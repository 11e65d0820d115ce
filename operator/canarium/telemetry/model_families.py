"""The metrics that name a model: name, type, meaning and labels of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Family:
    """A metric; `labels` follow namespace and name."""

    name: str
    text: str
    labels: tuple[str, ...] = ()
    kind: Literal["gauge", "counter"] = "gauge"

    def head(self, openmetrics: bool) -> str:
        """Returns the lines that precede its samples; the two formats name counters differently."""
        name = self.name.removesuffix("_total") if openmetrics else self.name
        return f"# HELP {name} {self.text}\n# TYPE {name} {self.kind}\n"


_MODEL = "canarium_modeldeployment"
INFO = Family(
    f"{_MODEL}_info",
    "1; labels: the version and revision that were promoted, and how they are served",
    ("version", "revision", "runtime", "strategy", "router"),
)
PHASE = Family(f"{_MODEL}_phase", "1 for the current phase", ("phase",))
CONDITION = Family(
    f"{_MODEL}_condition",
    "1 for the current status (True, False, Unknown) of each condition",
    ("type", "status"),
)
WEIGHT = Family(
    f"{_MODEL}_weight_percent",
    "Requested percentage of the traffic, by role: stable, candidate, previous",
    ("role",),
)
EFFECTIVE_WEIGHT = Family(
    f"{_MODEL}_effective_weight_percent", "Effective percentage of the traffic", ("role",)
)
REPLICAS = Family(f"{_MODEL}_replicas", "Desired pods", ("role",))
READY_REPLICAS = Family(f"{_MODEL}_ready_replicas", "Ready pods", ("role",))
STEP = Family(f"{_MODEL}_step", "Current step of the rollout; absent without one")
STEPS = Family(f"{_MODEL}_steps", "Number of its steps, of which the last is the promotion")
HOLD = Family(
    f"{_MODEL}_hold_seconds",
    "How long the rollout has been waiting, by the reason in status.waitingFor",
    ("reason",),
)
CHECK_VALUE = Family(
    "canarium_check_value", "Value of the candidate in the last evaluation of a check", ("check",)
)
CHECK_BOUND = Family("canarium_check_bound", "Bound that the value was compared with", ("check",))
CHECK_STABLE = Family(
    "canarium_check_stable_value", "Value of stable in the same window", ("check",)
)
CHECK_SAMPLES = Family(
    "canarium_check_samples", "Number of observations of the candidate", ("check",)
)
CHECK_VERDICT = Family(
    "canarium_check_verdict",
    "1 for the verdict of the last evaluation: Pass, Fail, Insufficient",
    ("check", "verdict"),
)
ROLLBACKS = Family(
    "canarium_rollbacks_total",
    "Rollbacks and undone promotions since the operator leads, by reason",
    ("reason",),
    "counter",
)
ROLLOUTS = Family(
    f"{_MODEL}_rollouts_total",
    "Ended rollouts since the operator leads, by outcome as in canarium_rollouts_total",
    ("outcome",),
    "counter",
)
#: In the order of the page.
FAMILIES = (
    INFO,
    PHASE,
    CONDITION,
    WEIGHT,
    EFFECTIVE_WEIGHT,
    REPLICAS,
    READY_REPLICAS,
    STEP,
    STEPS,
    HOLD,
    CHECK_VALUE,
    CHECK_BOUND,
    CHECK_STABLE,
    CHECK_SAMPLES,
    CHECK_VERDICT,
    ROLLBACKS,
    ROLLOUTS,
)
