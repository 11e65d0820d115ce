"""Authentication: the credentials of requests to servers that a model names."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from canarium.api.base import NAMED, Part, ruled

#: The HTTP client sets these: they decide where a request is sent, and where it ends.
_NOT_RESERVED = (
    "!self.name.matches('(?i)^(host|content-length|transfer-encoding|connection|keep-alive|upgrade"
    "|te|trailer|expect)$')",
    "this name of a header is reserved: the HTTP client sets it, so remove it here",
    ".name",
)

HeaderName = Annotated[str, Field(max_length=128, pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]
_AT_MOST_ONE = (
    "(has(self.headers) ? 1 : 0) + (has(self.oauth2) ? 1 : 0) + (has(self.sigV4) ? 1 : 0) <= 1",
    "set at most one of headers, oauth2 and sigV4",
    ".headers",
)


class Header(Part):
    """A header of a request."""

    model_config = ConfigDict(json_schema_extra=ruled(_NOT_RESERVED))

    name: HeaderName = Field(description="Name of the header.")
    value: str = Field(
        max_length=1024, pattern=r"^[\x20-\x7e]*$", description="Its value, which is not secret."
    )


class SecretHeader(Part):
    """A header whose value is a key of the Secret."""

    model_config = ConfigDict(json_schema_extra=ruled(_NOT_RESERVED))

    name: HeaderName = Field(description="Name of the header, such as DD-API-KEY.")
    key: str = Field(max_length=253, min_length=1, description="Key of the Secret.")


class OAuth2(Part):
    """Client credentials of OAuth 2.0 (RFC 6749, section 4.4).

    The operator sends the keys `client-id` and `client-secret` of the Secret to the token server,
    and the token that it obtains to the server of the request, until shortly before it expires.
    """

    model_config = ConfigDict(
        json_schema_extra=ruled(
            (
                "isURL(self.tokenUrl)",
                "tokenUrl must be a valid URL, such as https://login.example.com/token",
                ".tokenUrl",
            )
        )
    )

    token_url: str = Field(
        max_length=1024,
        pattern=r"^https?://[^\s/?#]",
        description="URL of the token server, such as https://login.example.com/oauth2/token.",
    )
    scopes: (
        list[Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[^\s\"\\]+$")]] | None
    ) = Field(None, max_length=16, description="Scopes of the token.")
    parameters: dict[str, Annotated[str, Field(max_length=1024)]] | None = Field(
        None,
        max_length=8,
        description="Further fields of the token request, such as audience.",
    )


#: For the parts that have a URL, or an argument of a template for it, and an authentication.
HTTPS_FOR_IDENTITY = (
    "!has(self.authentication) || !has(self.authentication.workloadIdentity) || "
    "!has(self.url) || self.url.startsWith('https://') || self.url.startsWith('{{')",
    "workloadIdentity requires a url that begins with https://",
    ".url",
)


class SigV4(Part):
    """AWS Signature Version 4.

    The Secret has the keys `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, and
    `AWS_SESSION_TOKEN` for temporary credentials.
    """

    region: str = Field(
        max_length=32,
        pattern=r"^[a-z]{2,}(-[a-z0-9]+)+$",
        description="Region of the server, such as eu-central-1.",
    )
    service: str = Field(
        max_length=64,
        pattern=r"^[a-z0-9][a-z0-9-]*$",
        description="Name of the service in signatures: aps for Amazon Managed Service for "
        "Prometheus, monitoring for CloudWatch.",
    )


class Authentication(Part):
    """A Secret in the model's namespace, and how a request proves that it has its content; or the
    operator's own identity.

    Without headers, oauth2 and sigV4, the Secret has the key `token` for a bearer token, or
    `username` and `password`. `ca.crt` is for a server whose certificate is signed by a private
    authority.
    """

    model_config = ConfigDict(
        json_schema_extra=ruled(
            _AT_MOST_ONE,
            (
                "has(self.secretName) != has(self.workloadIdentity)",
                "set exactly one of secretName and workloadIdentity",
                ".secretName",
            ),
            (
                "has(self.secretName) || (!has(self.headers) && !has(self.oauth2))",
                "headers and oauth2 take their values from a Secret: set secretName",
                ".secretName",
            ),
            (
                "!has(self.workloadIdentity) || (self.workloadIdentity == 'AWS') == "
                "has(self.sigV4)",
                "workloadIdentity AWS requires sigV4; with Azure and Google, remove sigV4",
                ".sigV4",
            ),
        )
    )

    secret_name: str | None = Field(
        None, max_length=253, min_length=1, description="Name of the Secret."
    )
    workload_identity: Literal["AWS", "Azure", "Google"] | None = Field(
        None,
        description="The identity of the operator's pod at a cloud, instead of a Secret. An "
        "administrator has to allow the host: workloadIdentity in the values of the chart.",
    )
    headers: list[SecretHeader] | None = Field(
        None,
        min_length=1,
        max_length=8,
        description="Headers with values from the Secret, such as API keys.",
        json_schema_extra=NAMED,
    )
    oauth2: OAuth2 | None = Field(
        None, description="A token of OAuth 2.0, by client credentials from the Secret."
    )
    sig_v4: SigV4 | None = Field(
        None, description="A signature of AWS, by an access key from the Secret."
    )
