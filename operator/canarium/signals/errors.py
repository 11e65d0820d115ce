"""Errors of requests without a usable response. Decisions read the class and `reason`, never the
text."""

from __future__ import annotations

from canarium.api.reasons import CheckReason, ConnectionLoss


class NoAnswer(Exception):
    """A request had no usable response; the message has the reason, never a body or a path."""

    reason: CheckReason = CheckReason.QUERY_FAILED


class Untrusted(NoAnswer):
    """The server's certificate is not signed by a trusted authority, or is for another name."""

    reason = CheckReason.UNTRUSTED_CERTIFICATE


class AddressRefused(NoAnswer):
    """The address policy refuses this address; an administrator may allow it."""

    reason = CheckReason.ADDRESS_REFUSED


class Unreachable(NoAnswer):
    """No byte of a response arrived, so nothing is known about the server."""

    reason = CheckReason.UNREACHABLE

    def __init__(self, text: str, loss: ConnectionLoss) -> None:
        super().__init__(text)
        self.loss = loss
