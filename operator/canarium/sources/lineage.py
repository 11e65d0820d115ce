"""When the lineage of a revision is read: once, in the background, in a few attempts.

A plan requests the lineage of a revision whose record has none, and the result is stored there, so
that neither a restart nor another leader asks again. A document that is not complete after the last
attempt is stored as it is, with the reason.
"""

from __future__ import annotations

import asyncio
import logging

from canarium.api.reasons import SpecReason
from canarium.api.uri import UriInvalid, parse
from canarium.core.facts.training_run import RunRequest, RunResult
from canarium.kube.clock import Timing
from canarium.sources.background import Attempt, Background, Wake
from canarium.sources.errors import Unresolved
from canarium.sources.registries import Key, Registries
from canarium.sources.training_run import Lineage, read
from canarium.untrusted.error_log import ErrorLog

log = logging.getLogger(__name__)
#: Attempts to read everything, and the seconds after the first one, doubled each time.
ATTEMPTS, _FIRST_WAIT = 6, 5.0
#: Seconds that one attempt may take.
PATIENCE = 30.0


class LineageReader(Background[RunRequest, RunResult]):
    """Reads the lineage that a plan requests."""

    def __init__(self, registries: Registries, wake: Wake, timing: Timing | None = None) -> None:
        super().__init__(self._once, wake, timing or Timing())
        self._registries = registries
        self._error_log = ErrorLog(log)

    async def _once(self, key: Key, request: RunRequest, number: int) -> Attempt[RunResult]:
        lineage = await self._read(key, request)
        if not lineage.complete:
            # Perhaps because of credentials that have been replaced.
            self._registries.refused(key[0], request.secret)
        if lineage.complete or number == ATTEMPTS:
            return Attempt(RunResult(request, lineage.document()))
        return Attempt(None, again=_FIRST_WAIT * 2.0 ** (number - 1))

    async def _read(self, key: Key, request: RunRequest) -> Lineage:
        """Returns what one attempt reads; it never raises, and what is missing is in the result."""
        lineage = Lineage()
        try:
            async with asyncio.timeout(PATIENCE):
                server = await self._registries.server(key[0], request.endpoint, request.secret)
                return await read(server, parse(request.uri))
        except Unresolved as error:
            lineage.lacks(error.reason, str(error))
        except TimeoutError:
            text = f"{request.endpoint}: not complete within {PATIENCE:g} s"
            lineage.lacks(SpecReason.SOURCE_UNAVAILABLE, text)
        except UriInvalid as error:
            lineage.lacks(SpecReason.SOURCE_NOT_FOUND, str(error))
        except Exception as error:
            text = self._error_log.report(key, "/".join(key), "its lineage", error)
            lineage.lacks(SpecReason.SOURCE_NOT_FOUND, f"{request.uri}: {text}")
        return lineage
