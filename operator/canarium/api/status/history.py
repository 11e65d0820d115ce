"""How revisions ended, and why one is quarantined."""

from __future__ import annotations

from pydantic import Field

from canarium.api.states import OutcomeKind
from canarium.api.status.part import StatusPart, Time
from canarium.api.status.revision import VerifiedSignature


class Failure(StatusPart):
    """Why a revision is quarantined."""

    revision: str = Field(description="The revision that failed.")
    reason: str = Field(description="Cause of the failure, in CamelCase.")
    message: str = Field(description="Cause of the failure, for people.")
    time: Time = Field(description="When it was detected.")
    pod: str | None = Field(None, description="Pod in which it was detected.")
    container: str | None = Field(None, description="Container in which it was detected.")
    observed: str | None = Field(None, description="Observed value or exit code.")
    threshold: str | None = Field(None, description="Bound that was violated.")
    samples: int | None = Field(None, description="Number of pods or requests that were evaluated.")
    weight: int | None = Field(
        None, description="Effective percentage of the traffic that the revision had, as reported."
    )
    step: str | None = Field(
        None, description="Step at which it failed, such as 2/4. Absent during the bake."
    )


class Outcome(StatusPart):
    """How a revision ended or was promoted, newest first in the history."""

    revision: str = Field(description="Name of the revision.")
    version: str | None = Field(None, description="Its spec.model.version.")
    outcome: OutcomeKind = Field(description="Result of the rollout.")
    reason: str = Field("", description="Reason for it, in CamelCase.")
    message: str = Field("", description="Explanation for people.")
    by: str = Field(
        "operator",
        description="What caused it: the operator, the spec, or a command with its token.",
    )
    start_time: Time | None = Field(None, description="When the revision was created.")
    time: Time = Field(description="When the revision was promoted or ended.")
    lineage: dict[str, str] | None = Field(None, description="Its spec.model.lineage.")
    uri: str | None = Field(None, description="Its spec.model.uri.")
    resolved: str | None = Field(
        None,
        description="What spec.model.uri named when the revision was created, if that can move: "
        "the URI of a version, a commit or a digest.",
    )
    artifact: str | None = Field(None, description="Digest of the model that was fetched.")
    signature: VerifiedSignature | None = Field(
        None, description="Who signed the model, if spec.model.verify is set."
    )
