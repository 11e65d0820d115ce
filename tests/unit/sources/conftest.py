"""The server of a user's system, and the access of a namespace to it."""

from signals.conftest import responder, web

__all__ = ["responder", "web"]
