"""The requests of one part of a test: how many were sent, and how many failed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

from support.client import Client

#: What endpoints take to follow: the requests of one second, at 40 a second.
SECOND = 40


class Answered(Protocol):
    """A request: when it was sent, and the version that answered it, or None."""

    @property
    def at(self) -> float: ...
    @property
    def version(self) -> str | None: ...


A = TypeVar("A", bound=Answered)


def only_outage(answers: Iterable[A], old: str, new: str) -> list[A]:
    """Returns the requests that failed. AssertionError unless all of them lie between the last
    answer of `old` and the first of `new`."""
    answers = list(answers)
    last = max((a.at for a in answers if a.version == old), default=0.0)
    first = min(a.at for a in answers if a.version == new)
    failed = [a for a in answers if a.version is None]
    assert last < first, f"{new} answers beside {old}"
    assert all(last < a.at < first for a in failed), failed[-10:]
    return failed


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
