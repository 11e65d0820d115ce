"""Redacts what must not appear in a status, an Event or a log: anything that grants access.

Addresses come from users, and responses from servers that may repeat what they received. A status
and its Events are read by many more people than a Secret.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from canarium.untrusted.quoting import quoted

HIDDEN = "[redacted]"
#: Shorter texts are not redacted: they would match parts of messages by chance.
_SHORTEST = 4
#: A part of a secret is hidden if it has at least its first characters, so many: a quotation that
#: was shortened may end in the middle of it.
_PART = 8


def shown(url: str) -> str:
    """Returns scheme and host of `url`, and its port; every other part may carry a token."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return HIDDEN
    host = parts.netloc.rpartition("@")[2]
    if not parts.scheme or not host:
        # The parts of the URL are ambiguous, so any of them may be secret.
        return HIDDEN
    return quoted(f"{parts.scheme}://{host}", 300)


def redacted(text: str, secrets: Iterable[str]) -> str:
    """Returns `text` with every one of `secrets` hidden, whole or from its beginning on; of
    `Bearer abc`, also `abc` alone."""
    # A Secret that was created from a file often ends with a line break, which no server repeats.
    bare = [secret.strip() for secret in secrets]
    words = {word for secret in bare for word in (secret, secret.rpartition(" ")[2])}
    for word in sorted(words, key=len, reverse=True):
        if len(word) >= _SHORTEST:
            text = _without_parts(text.replace(word, HIDDEN), word)
    return text


def _without_parts(text: str, secret: str) -> str:
    """Hides each run of `text` that `secret` begins with, from `_PART` characters on."""
    if len(secret) <= _PART:
        return text
    kept, place = [], 0
    while (begin := text.find(secret[:_PART], place)) >= 0:
        kept += [text[place:begin], HIDDEN]
        place = begin + _PART
        while place < len(text) and text[begin : place + 1] == secret[: place + 1 - begin]:
            place += 1
    return "".join(kept) + text[place:]
