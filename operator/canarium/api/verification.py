"""How the signature of a model is verified before its server starts: `spec.model.verify`."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from canarium.api.base import Part, ruled

_Name = Annotated[str, Field(min_length=1, max_length=253)]
_DataKey = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[-._a-zA-Z0-9]+$")]


class DataKey(Part):
    """A key of a ConfigMap or Secret."""

    name: _Name = Field(description="Name of the object, in the model's namespace.")
    key: _DataKey = Field(description="Key in its data, such as release.pub.")


class PemSource(Part):
    """Where keys or certificates are. Exactly one of configMapKeyRef and secretKeyRef."""

    model_config = ConfigDict(
        json_schema_extra=ruled(
            (
                "has(self.configMapKeyRef) != has(self.secretKeyRef)",
                "set exactly one of configMapKeyRef and secretKeyRef",
                ".configMapKeyRef",
            )
        )
    )

    config_map_key_ref: DataKey | None = Field(
        None, description="Key of a ConfigMap that has them."
    )
    secret_key_ref: DataKey | None = Field(None, description="Key of a Secret that has them.")


class Verify(Part):
    """The signature that a model must have. Exactly one of key and certificateIdentity."""

    model_config = ConfigDict(
        json_schema_extra=ruled(
            (
                "has(self.key) != has(self.certificateIdentity)",
                "set exactly one of key and certificateIdentity",
                ".key",
            ),
            (
                "has(self.certificateIdentity) == has(self.certificateAuthorities)",
                "certificateIdentity and certificateAuthorities belong together: set both or "
                "neither",
                ".certificateAuthorities",
            ),
        )
    )

    key: PemSource | None = Field(
        None,
        description="The public key that signed the model: ECDSA on P-256, P-384 or P-521, in PEM "
        "format. The text may contain several keys, of which any may have signed, such as the old "
        "and the new one while keys are rotated. A change of its content creates no new revision; "
        "pods that start later are verified with it.",
    )
    certificate_identity: str | None = Field(
        None,
        min_length=1,
        max_length=256,
        description="E-mail address, URI (with ://) or DNS name in the certificate that signed the "
        "model, as its subject alternative name: exactly this one, and as a name of that kind. "
        "Requires certificateAuthorities. Signatures with a Sigstore identity (Fulcio, Rekor) are "
        "not supported and are refused.",
    )
    certificate_authorities: PemSource | None = Field(
        None,
        description="Certificates, in PEM format, of the authorities of which one has to have "
        "issued the certificate that signed the model, or an authority between them. A change of "
        "their content creates no new revision.",
    )
    signature: str | None = Field(
        None,
        min_length=1,
        max_length=512,
        pattern=r"^[^/]",
        description="Path of the signature in the model. Default: model.sig.",
        json_schema_extra={
            "x-kubernetes-validations": [
                {
                    "rule": r"!self.matches(r'(^|/)\.\.(/|$)')",
                    "message": "signature must not contain '..' in its path: write the folder "
                    "itself",
                }
            ]
        },
    )
