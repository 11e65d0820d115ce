"""Errors of the API server, and what each class of them means for a retry."""

from __future__ import annotations

import re
from typing import Self

import orjson

from canarium.kube.resources import Resource
from canarium.untrusted.quoting import quoted

#: Maximum characters of a message.
_LONGEST = 2048


class ApiError(Exception):
    """An unsuccessful response; `status` is the HTTP code, 0 without a response."""

    def __init__(
        self, status: int, reason: str, message: str, retry_after: float | None = None
    ) -> None:
        # Webhooks and policies put their own text, and parts of objects, into messages.
        self.message = quoted(message, _LONGEST)
        self.reason = quoted(reason, 100)
        super().__init__(f"{status} {self.reason}: {self.message}")
        self.status = status
        #: Seconds that the server asks to wait, if any.
        self.retry_after = retry_after

    @classmethod
    def decoded(cls, status: int, content: bytes, retry_after: str | None = None) -> Self:
        """Returns the error that a response describes; `retry_after` is its header."""
        wait = float(retry_after) if retry_after and retry_after.isdigit() else None
        try:
            body = orjson.loads(content)
        except orjson.JSONDecodeError:
            body = None
        # A server behind the API server, or a proxy, may answer anything.
        if not isinstance(body, dict):
            return cls(status, "", content[:500].decode(errors="replace"), wait)
        reason, message = (str(body.get(x) or "") for x in ("reason", "message"))
        return cls(status, reason, message, wait)

    def detail(self, resource: Resource, name: str) -> str:
        """Returns the message, or the reason without one, for a text that begins with the object.

        The API server names the object first, such as `services "fraud" is forbidden: …`. Those
        words are left out, and the rest is as the server wrote it.
        """
        words = "|".join(map(re.escape, (resource.plural, resource.kind)))
        group = rf"(?:\.{re.escape(resource.group)})?" if resource.group else ""
        subject = rf'(?:{words}){group} "{re.escape(name)}" '
        text = re.sub(rf"^{subject}(?:is (?:forbidden|invalid): |(?=not found))", "", self.message)
        return text or self.reason

    @property
    def transient(self) -> bool:
        """Whether the same request may succeed later: overload, a server error, or no answer."""
        return self.status in (0, 429) or self.status >= 500

    @property
    def overloaded(self) -> bool:
        """Whether the server has no capacity for this request now."""
        return self.status in (429, 503, 504)

    @property
    def unprocessed(self) -> bool:
        """Whether the server has not processed the request, and asks for a retry."""
        return self.status == 429 or (self.status == 503 and self.retry_after is not None)

    @property
    def not_found(self) -> bool:
        return self.status == 404

    @property
    def conflict(self) -> bool:
        return self.status == 409

    @property
    def already_exists(self) -> bool:
        return self.status == 409 and self.reason == "AlreadyExists"

    @property
    def gone(self) -> bool:
        return self.status == 410 or self.reason == "Expired"

    @property
    def rejected(self) -> bool:
        """Whether the request itself is invalid or forbidden: it is rejected again until a policy,
        a quota, a permission or the request changes."""
        return self.status in (400, 402, 403, 405, 406, 413, 414, 415, 422, 431)
