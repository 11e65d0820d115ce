"""Revisions that run now."""

from __future__ import annotations

from pydantic import Field

from canarium.api.status.part import StatusPart


class VerifiedSignature(StatusPart):
    """A signature of the model that the fetcher has verified."""

    key: str = Field(description="SHA-256 of the PEM file of the public key that signed it.")
    identity: str | None = Field(
        None, description="Name in the certificate that signed it, if it was signed with one."
    )
    subject: str = Field(description="Name of the model in the signed statement.")
    digest: str = Field(
        description="Digest of the signed statement: the SHA-256 over the digests of its files."
    )


class RevisionStatus(StatusPart):
    """A revision that runs now."""

    revision: str = Field(description="Name of the revision.")
    version: str | None = Field(None, description="Its spec.model.version.")
    color: str | None = Field(None, description="Colour label of its pods.")
    artifact: str | None = Field(None, description="Digest of the model that was fetched.")
    signature: VerifiedSignature | None = Field(
        None, description="Who signed the model, if spec.model.verify is set."
    )
    resolved: str | None = Field(
        None,
        description="What spec.model.uri named when the revision was created, if that can move: "
        "the URI of a version, a commit or a digest.",
    )
    replicas: int = Field(0, description="Number of desired pods.")
    ready_replicas: int = Field(0, description="Number of ready pods.")
    weight: int = Field(0, description="Requested percentage of the traffic.")
    effective_weight: int = Field(
        0,
        description="Effective percentage of the traffic: by ready pods, or as accepted by the "
        "gateways.",
    )
