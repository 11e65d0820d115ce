"""`ModelGate`: the Job of a gate, written once for many models of a namespace."""

from __future__ import annotations

from pydantic import Field

from canarium.api.base import Part
from canarium.api.gates import JobTemplate

MODEL_GATE = "ModelGate"


class ModelGateSpec(Part):
    """A Job that gates of several models run."""

    description: str | None = Field(
        None, max_length=1024, description="Description of the gate, for people who choose one."
    )
    job: JobTemplate = Field(description="The Job. Models may replace its fields.")
