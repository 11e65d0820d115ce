"""The status of a `ModelDeployment`, part by part.

Reading order: `status` (the whole), `rollout` (progress, waits, pauses and commands), `revision`
and `history` (what runs, and how revisions ended), `condition`, `analysis`, `gates`, `cluster`
(what the cluster answers), `transition` (what the notifier delivers), `part` (the base of all).

Invariant: no field churns. A time changes only with the transition that it names.
"""

from canarium.api.status.analysis import AnalysisStatus, CheckedObject, CheckEvaluation, CheckStatus
from canarium.api.status.cluster import BlockedDeletion, RejectedWrite, RouteStatus, StatusWarning
from canarium.api.status.condition import Condition
from canarium.api.status.gates import GateStatus
from canarium.api.status.history import Failure, Outcome
from canarium.api.status.revision import RevisionStatus, VerifiedSignature
from canarium.api.status.rollout import CommandEcho, Pause, Progress, StepStatus, WaitingFor
from canarium.api.status.status import Status

__all__ = [
    "AnalysisStatus",
    "BlockedDeletion",
    "CheckEvaluation",
    "CheckStatus",
    "CheckedObject",
    "CommandEcho",
    "Condition",
    "Failure",
    "GateStatus",
    "Outcome",
    "Pause",
    "Progress",
    "RejectedWrite",
    "RevisionStatus",
    "RouteStatus",
    "Status",
    "StatusWarning",
    "StepStatus",
    "VerifiedSignature",
    "WaitingFor",
]
