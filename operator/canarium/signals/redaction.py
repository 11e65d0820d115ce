"""What may be said of a request in a status, an Event or a log: never what lets others in.

Addresses come from users, answers from servers that may repeat what they were sent. A status and
its Events are read by many more people than a Secret.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit, urlunsplit

HIDDEN = "[redacted]"
#: A shorter text is no secret, and would hide half of a message by chance.
_SHORTEST = 4


def shown(url: str) -> str:
    """`url` without login, query and fragment, all of which may carry a token."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return HIDDEN
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


def redacted(text: str, secrets: Iterable[str]) -> str:
    """`text` with every one of `secrets` hidden; of a header's `Bearer abc`, also `abc` alone."""
    words = {word for secret in secrets for word in (secret, secret.rpartition(" ")[2])}
    for word in sorted(words, key=len, reverse=True):
        if len(word) >= _SHORTEST:
            text = text.replace(word, HIDDEN)
    return text
