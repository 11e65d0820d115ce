"""Why a request has no usable answer. Decisions read the class and `reason`, never the text."""

from __future__ import annotations

from enum import StrEnum


class NoAnswer(Exception):
    """A request had no usable answer; the text says why and never carries a body or a path."""

    reason = "QueryFailed"


class Untrusted(NoAnswer):
    """The server's certificate is not signed by a trusted authority, or is for another name."""

    reason = "UntrustedCertificate"


class AddressRefused(NoAnswer):
    """The operator does not connect to this address; an administrator may allow it."""

    reason = "AddressRefused"


class Loss(StrEnum):
    """How a connection was lost."""

    #: Nobody listens at the address, or a policy rejects the connection.
    REFUSED = "ConnectionRefused"
    #: Nothing answered the attempt to connect: a policy drops it, or the node is gone.
    TIMED_OUT = "ConnectionTimedOut"
    #: The connection was accepted, then ended before a byte of an answer: a mesh that demands TLS.
    RESET = "ConnectionReset"
    #: No route to the address.
    NO_ROUTE = "NoRouteToHost"
    #: The host's name could not be resolved.
    NAME = "NameNotResolved"


class Unreachable(NoAnswer):
    """No byte of an answer came, so nothing is known about the server behind the address."""

    reason = "Unreachable"

    def __init__(self, text: str, loss: Loss) -> None:
        super().__init__(text)
        self.loss = loss
