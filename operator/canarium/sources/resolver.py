"""Resolves the moving reference of each model whose plan requests it.

Level-triggered, as the other facts from outside: a result is kept while the same request stands,
and a reference without one is asked for again, ever less often. Nothing survives a restart: what
was resolved is in the record.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from canarium.api.reasons import SpecReason
from canarium.api.uri import parse
from canarium.core.facts.resolution import Resolution, ResolveRequest
from canarium.kube.client import Api
from canarium.kube.clock import Timing
from canarium.signals.access import NamespaceAccess
from canarium.sources.credentials import endpoint
from canarium.sources.errors import Unresolved
from canarium.sources.mlflow_alias import resolved
from canarium.untrusted.error_log import ErrorLog

log = logging.getLogger(__name__)
Key = tuple[str, str]
Wake = Callable[[Key, bool], None]
#: Seconds between two requests for one reference, before jitter: doubled each time, up to a bound.
_FIRST_WAIT, _LAST_WAIT = 1.0, 30.0
#: Seconds for which a decision may wait for a first result, instead of reporting that it waits.
_GRACE = 1.0


@dataclass
class _Resolving:
    request: ResolveRequest
    since: float
    result: Resolution | None = None
    task: asyncio.Task[None] | None = field(default=None, repr=False)


class SourceResolver:
    """`access` returns the share of a namespace; `wake(key, urgent)` is called for a new result."""

    def __init__(
        self,
        api: Api,
        access: Callable[[str], NamespaceAccess],
        wake: Wake,
        timing: Timing | None = None,
    ) -> None:
        self._api, self._access, self._wake = api, access, wake
        self._timing = timing or Timing()
        self._error_log = ErrorLog(log)
        self._models: dict[Key, _Resolving] = {}

    def result(self, key: Key) -> Resolution | None:
        """Returns the result for the last request of a model."""
        known = self._models.get(key)
        return known.result if known else None

    def want(self, key: Key, request: ResolveRequest | None) -> None:
        """Starts to resolve `request`, and stops any other of the model."""
        known = self._models.get(key)
        if request is None:
            self.forget(key)
        elif known is None or known.request != request:
            self.forget(key)
            made = _Resolving(request, self._timing.clock())
            self._models[key] = made
            made.task = asyncio.create_task(self._run(key, made))

    def grace_left(self, key: Key) -> float | None:
        """Returns the seconds for which a decision may wait for a first result; None for none."""
        known = self._models.get(key)
        if known is None or known.result:
            return None
        left = known.since + _GRACE - self._timing.clock()
        return left if left > 0 else None

    def forget(self, key: Key) -> None:
        """Stops resolving for a model."""
        self._error_log.forget((key, "source"))
        known = self._models.pop(key, None)
        if known and known.task:
            known.task.cancel()

    async def close(self) -> None:
        """Stops everything."""
        tasks = [known.task for known in self._models.values() if known.task]
        self._models.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, key: Key, known: _Resolving) -> None:
        wait = _FIRST_WAIT
        while known.result is None or known.result.uri is None:
            result = await self._ask(key, known.request)
            if result != known.result:
                known.result = result
                self._wake(key, False)
            if result.uri is None:
                await self._timing.sleep(self._timing.jitter(wait))
                wait = min(_LAST_WAIT, 2 * wait)

    async def _ask(self, key: Key, request: ResolveRequest) -> Resolution:
        try:
            server = await endpoint(self._api, key[0], request.endpoint, request.secret)
            uri = await resolved(self._access(key[0]), parse(request.uri), server)
        except Unresolved as error:
            return Resolution(request, reason=error.reason, message=str(error))
        except Exception as error:
            text = self._error_log.report((key, "source"), "/".join(key), "its source", error)
            message = f"{request.uri} could not be resolved: {text}"
            return Resolution(request, reason=SpecReason.SOURCE_UNAVAILABLE, message=message)
        return Resolution(request, uri)
