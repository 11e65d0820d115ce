"""Columns of ModelDeployments, as the API server prints them in tables.

`kubectl get` shows them, the wide ones with `-o wide`. Together they have what a line of a fleet
needs, so that lists of thousands of models need not be read as whole objects (decision 0039).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Column:
    """A column: `path` is a JSON path, `type` one of OpenAPI or `date`."""

    name: str
    path: str
    type: str = "string"
    wide: bool = False


def _wide(name: str, path: str, type: str = "string") -> Column:
    return Column(name, path, type, wide=True)


def _condition(type: str, field: str) -> str:
    return f'.status.conditions[?(@.type=="{type}")].{field}'


MODEL_COLUMNS = (
    Column("Phase", ".status.phase"),
    Column("Ready", _condition("Ready", "status")),
    Column("Version", ".status.version"),
    Column("Revision", ".status.revision"),
    Column("Step", ".status.step"),
    Column("Weight", ".status.weight", "integer"),
    Column("Waiting", ".status.waitingFor.reason"),
    Column("Replicas", ".status.readyReplicas", "integer"),
    _wide("Message", ".status.message"),
    Column("Age", ".metadata.creationTimestamp", "date"),
    _wide("Candidate", ".status.candidate.version"),
    _wide("Candidate Revision", ".status.candidate.revision"),
    _wide("Effective Weight", ".status.candidate.effectiveWeight", "integer"),
    _wide("Stable Revision", ".status.stable.revision"),
    _wide("Desired", ".status.replicas", "integer"),
    _wide("Waiting Until", ".status.waitingFor.expectedEndTime"),
    _wide("Failure", ".status.failure.reason"),
    _wide("Available", _condition("Available", "status")),
    _wide("Available Reason", _condition("Available", "reason")),
    _wide("Ready Reason", _condition("Ready", "reason")),
    _wide("Pods Blocked", _condition("PodsBlocked", "reason")),
    _wide("Rejected Write", ".status.rejectedWrites[0].reason"),
    _wide("Blocked Deletion", ".status.blockedDeletions[0].object"),
    _wide("Created", ".metadata.creationTimestamp"),
    _wide("Namespace", ".metadata.namespace"),
    _wide("Labels", ".metadata.labels"),
)
