"""Why a fetch fails: a reason for machines, and a sentence that describes what to do."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from enum import IntEnum

from canarium.untrusted.quoting import quoted

#: Reason → what to do about it.
ADVICE: dict[str, str] = {
    "UnknownScheme": "correct spec.model.uri",
    "InvalidUri": "correct spec.model.uri",
    "NotFound": "check spec.model.uri: the path, its spelling, and that the upload has ended",
    "AccessDenied": "check the Secret of spec.model.credentials.secretName, or the rights of the "
    "service account",
    "CredentialsExpired": "renew the credentials in the Secret of "
    "spec.model.credentials.secretName: the next pod takes them",
    "InvalidCredentials": "correct the Secret of spec.model.credentials.secretName",
    "UntrustedCertificate": "set the store's CA certificate as the key ca.crt of "
    "the Secret of spec.model.credentials.secretName",
    "DigestMismatch": "correct spec.model.digest, or upload the model with that digest",
    "ArtifactChanged": "the content has changed since the first pod of this revision fetched it: "
    "restore the old content, or create a new version (another URI or spec.restartToken)",
    "SignatureMissing": "sign the model with model_signing, or set "
    "spec.model.verify.signature to the path of its signature",
    "SignatureInvalid": "find out who changed the model; sign it again, or correct "
    "spec.model.verify and its keys or certificates",
    "InvalidVerificationKey": "correct the ConfigMap or Secret that spec.model.verify names",
    "NoSpace": "provide a larger node disk or volume",
    "UnsafeArchive": "create the archive again without such entries",
    "UnsafePath": "rename the file or folder",
    "CorruptArtifact": "upload the model again",
    "SourceChanged": "the model was changed while it was fetched: upload to a new path, and name "
    "that in spec.model.uri",
    "SourceUnavailable": "check that the store runs and that pods may reach it",
    "Internal": "this is a bug of the fetcher, please report it",
}
#: Reason → what has happened.
MEANINGS: dict[str, str] = {
    "UnknownScheme": "The scheme of the URI is none that models can be fetched from.",
    "InvalidUri": "The URI does not have the form of its scheme.",
    "NotFound": "The store has no such object, or nothing of it was selected.",
    "AccessDenied": "The store rejects the credentials, or what they ask for.",
    "CredentialsExpired": "The credentials have expired, where the store reports it.",
    "InvalidCredentials": "The Secret has no credentials that can be used for this store.",
    "UntrustedCertificate": "No trusted authority signed the store's certificate.",
    "DigestMismatch": "The model does not have the digest in `spec.model.digest`.",
    "ArtifactChanged": "A pod fetched other bytes than the first pod of the same revision.",
    "SignatureMissing": "`spec.model.verify` is set, and the model contains no signature.",
    "SignatureInvalid": "No key or certificate that `spec.model.verify` trusts signed the model as "
    "it was fetched: another one did, a file was changed, added or removed, or the signature "
    "cannot be read.",
    "InvalidVerificationKey": "`spec.model.verify` has no public key or certificate authority that "
    "can be used.",
    "NoSpace": "The disk would become too full.",
    "UnsafeArchive": "An entry of the archive is refused.",
    "UnsafePath": "A name or a link in the model is refused.",
    "CorruptArtifact": "The model is damaged.",
    "SourceChanged": "The model was changed while it was fetched.",
    "SourceUnavailable": "The store did not respond for five minutes.",
    "Internal": "The fetcher has a defect.",
}


class ExitCode(IntEnum):
    """Exit codes of `canarium fetch`."""

    DONE = 0
    #: The artifact, the spec or the credentials must change before another try can succeed.
    REFUSED = 10
    #: The same may succeed later.
    UNAVAILABLE = 11
    INTERNAL = 12


class FetchError(Exception):
    """A fetch that cannot continue. `reason` is a key of ADVICE, which `advice` replaces if it is
    more specific; `passing`: it may succeed later."""

    def __init__(
        self, reason: str, text: str, *, advice: str | None = None, passing: bool = False
    ) -> None:
        super().__init__(text)
        self.reason = reason
        self.text = text
        self.advice = advice or ADVICE[reason]
        self.passing = passing

    @property
    def sentence(self) -> str:
        """What happened and what to do."""
        return f"{self.text}; {self.advice}"

    @property
    def exit_code(self) -> ExitCode:
        if self.reason == "Internal":
            return ExitCode.INTERNAL
        return ExitCode.UNAVAILABLE if self.reason == "SourceUnavailable" else ExitCode.REFUSED


_DENIED = frozenset({401, 403})
_GONE = frozenset({404, 410})
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
#: Exceptions that are more specific than their class; by name, since each store has its own.
_NO_CREDENTIALS = frozenset(
    {
        "NoCredentialsError",
        "PartialCredentialsError",
        "ClientAuthenticationError",
        "CredentialUnavailableError",
        "DefaultCredentialsError",
        "AuthenticationException",
        "GatedRepoError",
    }
)
_MISSING = frozenset({"ResourceNotFoundError", "RepositoryNotFoundError", "RevisionNotFoundError"})
#: Truncated responses; aiohttp assigns them the code 400, which no server sent.
_BROKEN_OFF = frozenset(
    {
        "ContentLengthError",
        "TransferEncodingError",
        "ClientPayloadError",
        "IncompleteRead",
        "IncompleteReadError",
        "ChunkedEncodingError",
        "ServerDisconnectedError",
    }
)
#: S3's, Google's and Azure's words for a token, a key or a signature whose time is over.
#: A path, which a message may have too, has no spaces before a word.
_EXPIRED_WORDS = ("(expiredtoken)", " expired", "not valid in the specified time frame")
_UNTRUSTED = "certificate verify failed"
_DENIED_WORDS = (
    "accessdenied",
    "invalidaccesskeyid",
    "signaturedoesnotmatch",
    "expiredtoken",
    # gcsfs drops the status.
    "oserror: forbidden:",
)


def classified(error: BaseException, what: str) -> FetchError:
    """Returns the meaning of an exception of a file system; `what` was requested.

    File systems wrap each other's exceptions, so the whole chain is read: an HTTP status is most
    specific, then a failed connection, and only then the outermost class, which is often a
    FileNotFoundError for lack of a better one.
    """
    chain = list(_chain(error))
    for link in chain:
        if isinstance(link, FetchError):
            return link
    detail = _innermost_message(chain)
    for link in chain:
        if isinstance(link, OSError) and link.errno in _FULL:
            return FetchError("NoSpace", f"the disk is full while writing {what}")
    names = {type(link).__name__ for link in chain}
    if _UNTRUSTED in detail.lower() or "SSLCertVerificationError" in names:
        return FetchError("UntrustedCertificate", f"{what}: {detail}")
    if names & _BROKEN_OFF:
        return FetchError("SourceUnavailable", f"{what}: {detail}", passing=True)
    status = next((code for code in map(_status, chain) if code), None)
    if names & _NO_CREDENTIALS or any(word in detail.lower() for word in _DENIED_WORDS):
        return _denied(f"{what}: {detail}")
    if status in _GONE or names & _MISSING:
        return FetchError("NotFound", f"{what} does not exist")
    if status in _DENIED:
        return _denied(f"{what}: HTTP {status}: {detail}")
    if status:
        text = f"{what}: HTTP {status}: {detail}"
        return FetchError(
            "SourceUnavailable", text, passing=status >= 500 or status in (408, 425, 429)
        )
    if any(isinstance(link, PermissionError) for link in chain):
        return _denied(f"{what}: {detail}")
    missing = [isinstance(link, FileNotFoundError) for link in chain]
    if any(missing) and all(
        is_missing or not isinstance(link, OSError | TimeoutError)
        for is_missing, link in zip(missing, chain, strict=True)
    ):
        return FetchError("NotFound", f"{what} does not exist")
    return FetchError("SourceUnavailable", f"{what}: {detail}", passing=True)


def _denied(text: str) -> FetchError:
    late = any(word in text.lower() for word in _EXPIRED_WORDS)
    return FetchError("CredentialsExpired" if late else "AccessDenied", text)


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__cause__ or link.__context__


def _status(error: BaseException) -> int | None:
    """Returns the HTTP status of an exception, from any attribute in which libraries store it."""
    response = getattr(error, "response", None)
    if isinstance(response, dict):
        status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        return status if isinstance(status, int) and status >= 400 else None
    for holder in (error, response):
        for name in ("status", "status_code", "code"):
            value = getattr(holder, name, None)
            if isinstance(value, str) and value.isdigit():
                value = int(value)
            if isinstance(value, int) and 400 <= value < 600:
                return value
    return None


def _innermost_message(chain: list[BaseException]) -> str:
    """Returns the innermost message: outer exceptions repeat it or are less specific."""
    for link in reversed(chain):
        text = " ".join(str(link).split())
        if text:
            return quoted(f"{type(link).__name__}: {text}", 600)
    return type(chain[0]).__name__
