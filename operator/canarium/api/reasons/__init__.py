"""Every word that the API uses as a type or a reason, each with its explanation.

Reading order: `base` (what each word carries), then one module per place where words are used:
`condition_types`, `conditions`, `waits`, `failures`, `checks`, `routes`, `cluster` and `events`.

Reasons of conditions, holds, failures, checks and Events are enumerated here, and decisions
compare these members, never messages. `docs/reference/reasons.md` is generated from the texts. The
fetcher (`canarium.fetch.errors`) and the evaluation workers (`canarium.evaluation.errors`) run
without this package and list their own reasons.
"""

from canarium.api.reasons.base import NOTHING, Reason
from canarium.api.reasons.checks import CheckReason, ConnectionLoss
from canarium.api.reasons.cluster import ObstacleReason, RejectionReason, SpecReason
from canarium.api.reasons.condition_types import ConditionType
from canarium.api.reasons.conditions import ConditionReason
from canarium.api.reasons.events import EventReason, WarningReason
from canarium.api.reasons.failures import FailureReason, OutcomeReason
from canarium.api.reasons.routes import ConflictReason, RouteReason
from canarium.api.reasons.waits import HoldReason, hold_reason

__all__ = [
    "NOTHING",
    "CheckReason",
    "ConditionReason",
    "ConditionType",
    "ConflictReason",
    "ConnectionLoss",
    "EventReason",
    "FailureReason",
    "HoldReason",
    "ObstacleReason",
    "OutcomeReason",
    "Reason",
    "RejectionReason",
    "RouteReason",
    "SpecReason",
    "WarningReason",
    "hold_reason",
]
