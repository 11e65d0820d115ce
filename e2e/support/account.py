"""The requests of one part of a test: how many were sent, and how many failed."""

from __future__ import annotations

from collections.abc import Callable

from support.client import Client

#: What endpoints take to follow: the requests of one second, at 40 a second.
SECOND = 40


class Account:
    """Counts the requests of each part and reports them; `of` ends a part."""

    def __init__(self, client: Client, figures: Callable[..., None], router: str) -> None:
        self._client, self._figures, self._router = client, figures, router

    def of(self, case: str, began: float, outages: int = 1) -> None:
        """Reports the requests since `began` (monotonic seconds). AssertionError when more failed
        than are sent in one second for each of the `outages` (R15)."""
        counts = self._client.since(began)
        failed, sent = counts.get(None, 0), sum(counts.values())
        self._figures("outages", case=case, router=self._router, sent=sent, failed=failed)
        assert failed <= outages * SECOND, (
            f"{case}: {failed} of {sent}: {self._client.faults()[-2000:]}"
        )
