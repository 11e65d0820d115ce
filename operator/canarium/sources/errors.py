"""Why a moving reference has no result."""

from __future__ import annotations

from canarium.api.reasons import SpecReason


class Unresolved(Exception):
    """A reference without a result, and its reason. The message contains no secret.

    `wait`: seconds for which a registry that limits requests wants none.
    """

    def __init__(self, reason: SpecReason, text: str, wait: float | None = None) -> None:
        super().__init__(text)
        self.reason, self.wait = reason, wait
