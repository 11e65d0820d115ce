"""Posts to a receiver over HTTP: the address and token of a Secret, and what an answer means."""

from __future__ import annotations

import aiohttp

from canarium import VERSION
from canarium.notifier.sender import SecretFiles, SendFailed
from canarium.notifier.settings import SecretKey, has_credentials, is_url
from canarium.untrusted.quoting import quoted

_TIMEOUT = aiohttp.ClientTimeout(total=15, connect=5)
#: Answers of a receiver that may accept the same request later.
_LATER = frozenset({401, 403, 404, 407, 408, 421, 425, 429})
#: Maximum bytes of an answer that are read, for its error text.
_ANSWER = 2048


class HttpReceiver:
    """Posts to one URL. Redirects are not followed: they would carry the token elsewhere."""

    def __init__(
        self,
        secrets: SecretFiles,
        content_type: str,
        url: str | None,
        url_secret: SecretKey | None,
        token_secret: SecretKey | None,
    ) -> None:
        self._secrets, self._content_type = secrets, content_type
        self._url, self._url_secret, self._token_secret = url, url_secret, token_secret
        self._session: aiohttp.ClientSession | None = None

    async def post(self, body: bytes) -> None:
        """Returns once the receiver has accepted `body`. Raises SendFailed."""
        url = self._url or self._secret_url()
        headers = {"Content-Type": self._content_type, "User-Agent": f"canarium/{VERSION}"}
        if self._token_secret:
            headers["Authorization"] = f"Bearer {self._token(self._token_secret)}"
        session = self._session = self._session or aiohttp.ClientSession(timeout=_TIMEOUT)
        try:
            async with session.post(
                url, data=body, headers=headers, allow_redirects=False
            ) as response:
                if response.status < 300:
                    return
                answer = await response.content.read(_ANSWER)
                later = response.status in _LATER or response.status >= 500
                raise SendFailed(
                    f"the receiver answered {response.status}: {quoted(answer, 200)}",
                    refused=not later,
                    retry_after=_seconds(response.headers.get("Retry-After")),
                )
        except (aiohttp.InvalidURL, UnicodeError):
            where = _place(self._url_secret) if self._url_secret else "url"
            raise SendFailed(f"{where} is not a valid http or https URL") from None
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            # The text of an aiohttp error may contain the URL, which may be secret.
            kind = type(error).__name__
            raise SendFailed(f"cannot reach the receiver: {kind}") from None

    def _secret_url(self) -> str:
        """Returns the URL in the Secret. Raises SendFailed without the URL itself."""
        assert self._url_secret
        url, where = self._secrets.read(self._url_secret), _place(self._url_secret)
        if not is_url(url):
            raise SendFailed(f"{where} is not a valid http or https URL")
        if self._token_secret and has_credentials(url):
            raise SendFailed(f"the URL in {where} has a user, and tokenSecret is set; remove one")
        return url

    def _token(self, secret: SecretKey) -> str:
        token = self._secrets.read(secret)
        if not token.isprintable():
            raise SendFailed(f"{_place(secret)} has line breaks or control characters")
        return token

    async def close(self) -> None:
        """Closes its connections."""
        if self._session:
            await self._session.close()


def _place(secret: SecretKey) -> str:
    return f"key {secret.key} of Secret {secret.name}"


def _seconds(text: str | None) -> float | None:
    """Returns Retry-After in seconds, at most an hour; dates are ignored."""
    return min(float(text), 3600.0) if text and text.isdigit() else None
