"""Writes the state of versions to their registry, as two tags: the state and its reason.

A tag that could not be written is tried again for as long as it is wanted, at most five minutes
apart. The reason is written first, so the state never has the reason of an earlier one.
"""

from __future__ import annotations

import asyncio
import logging
from urllib.parse import unquote

from canarium import GROUP
from canarium.api.reasons import ConditionReason, SpecReason
from canarium.api.uri import parse
from canarium.core.facts.write_back import TagRequest, TagResult
from canarium.kube.clock import Timing
from canarium.sources.background import Attempt, Background, Wake
from canarium.sources.errors import Unresolved
from canarium.sources.registries import Key, Registries
from canarium.untrusted.error_log import ErrorLog
from canarium.untrusted.quoting import quoted

log = logging.getLogger(__name__)
#: Seconds after the first attempt, doubled each time, and the longest wait.
_FIRST_WAIT, _LAST_WAIT = 5.0, 300.0
#: Doublings that are certain to reach the longest wait.
_DOUBLINGS = 6
#: Seconds that one attempt may take, and characters of a reason.
PATIENCE, LONGEST = 30.0, 500


class TagWriter(Background[TagRequest, TagResult]):
    """Writes the tags that plans request; `cluster` is the cluster's name in them."""

    def __init__(
        self, registries: Registries, wake: Wake, cluster: str, timing: Timing | None = None
    ) -> None:
        super().__init__(self._once, wake, timing or Timing())
        self._registries, self._cluster = registries, cluster
        self._error_log = ErrorLog(log)

    async def _once(self, key: Key, request: TagRequest, number: int) -> Attempt[TagResult]:
        if not self._cluster:
            text = (
                "the operator has no name for this cluster, which is part of the tag: an "
                "administrator has to set clusterName in the values of the chart"
            )
            return Attempt(TagResult(request, ConditionReason.CLUSTER_NAME_MISSING, text))
        fault = await self._fault(key, request)
        if fault is None:
            return Attempt(TagResult(request))
        reason, text = fault
        if reason is SpecReason.SOURCE_ACCESS_DENIED:
            self._registries.refused(key[0], request.secret)
        wait = min(_LAST_WAIT, _FIRST_WAIT * 2.0 ** min(number - 1, _DOUBLINGS))
        return Attempt(TagResult(request, reason, text), again=wait)

    async def _fault(self, key: Key, request: TagRequest) -> tuple[SpecReason, str] | None:
        """Writes both tags; returns reason and message if it cannot. It never raises."""
        try:
            async with asyncio.timeout(PATIENCE):
                await self._write(key, request)
        except Unresolved as error:
            return error.reason, str(error)
        except TimeoutError:
            text = f"{request.endpoint}: not complete within {PATIENCE:g} s"
            return SpecReason.SOURCE_UNAVAILABLE, text
        except Exception as error:
            text = self._error_log.report(key, "/".join(key), "its tag", error)
            return SpecReason.SOURCE_UNAVAILABLE, f"{request.uri}: {text}"
        return None

    async def _write(self, key: Key, request: TagRequest) -> None:
        """Raises Unresolved."""
        namespace, name = key
        server = await self._registries.server(namespace, request.endpoint, request.secret)
        address = parse(request.uri)
        tag = f"{GROUP}/{self._cluster}.{namespace}.{name}"
        what = f"tag {tag} of {request.uri} at {server}"
        version = {"name": unquote(address.place), "version": address.path}
        for suffix, value in (("/reason", quoted(request.text, LONGEST)), ("", request.state)):
            path = "model-versions/set-tag"
            await server.post(path, what, **version, key=f"{tag}{suffix}", value=str(value))
