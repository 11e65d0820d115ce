"""Reads Events of pods whose containers are not created: only they report why.

Neither a pod's status nor a Deployment's shows that a volume cannot be mounted or a sandbox cannot
be created. Level-triggered, as other facts from outside: a decision names the pods (`Asked.pods`),
and they are read again, ever less often, until it no longer does. Reads are few: one at a time for
each namespace, and a bounded number per second for all, so that thousands of stuck pods of one
namespace neither load the API server nor delay the answer for another.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from canarium.core.facts.pods import Trouble, TroubleReason
from canarium.kube import resources
from canarium.kube.client import Api
from canarium.kube.clock import Timing
from canarium.kube.errors import ApiError
from canarium.kube.resources import Resource
from canarium.telemetry import log_context
from canarium.untrusted.error_log import ErrorLog
from canarium.untrusted.quoting import quoted

log = logging.getLogger(__name__)
Key = tuple[str, str]
#: A Secret or ConfigMap that a volume of a pod needs: its kind and name.
Source = tuple[Resource, str]
#: The sources of the volumes of a pod of a model, by the record of its revision.
Sources = Callable[[Key, str], Iterable[Source]]
Wake = Callable[[Key, bool], None]

#: Seconds between two reads of a pod's Events, doubled each time up to the second.
_FIRST_WAIT, _LAST_WAIT = 3.0, 30.0
#: Reads at a time, and the seconds that each keeps its place: at most twenty reads per second.
_AT_ONCE, _APART = 2, 0.1
_PAGE = 100
#: Reasons that show that the pod has progressed.
_PAST = frozenset(
    {"Pulling", "Pulled", "Created", "Started", "AddedInterface", "SuccessfulAttachVolume"}
)
_REASONS = {reason.value: reason for reason in TroubleReason}


@dataclass
class _Followed:
    """The pods of one model, and their troubles."""

    pods: tuple[str, ...] = ()
    troubles: dict[str, Trouble] = field(default_factory=dict)
    task: asyncio.Task[None] | None = None


class PodEvents:
    """`wake(key, urgent)` is called when the troubles of a model's pods change."""

    def __init__(
        self, api: Api, sources: Sources, wake: Wake, timing: Timing | None = None
    ) -> None:
        self._api, self._sources, self._wake = api, sources, wake
        self._timing = timing or Timing()
        self._models: dict[Key, _Followed] = {}
        self._slots = asyncio.Semaphore(_AT_ONCE)
        #: Serializes reads within a namespace; dropped with its last model.
        self._turns: dict[str, asyncio.Lock] = {}
        self._error_log = ErrorLog(log)

    def troubles(self, key: Key) -> Mapping[str, Trouble]:
        """Returns by pod why its containers are not created, according to its Events."""
        known = self._models.get(key)
        return known.troubles if known else {}

    def want(self, key: Key, pods: tuple[str, ...]) -> None:
        """Starts reading the Events of `pods`, and of no other pods of the model."""
        if not pods:
            self.forget(key)
            return
        known = self._models.setdefault(key, _Followed())
        known.pods = pods
        known.troubles = {pod: t for pod, t in known.troubles.items() if pod in pods}
        if known.task is None or known.task.done():
            known.task = asyncio.create_task(self._follow(key, known))

    def forget(self, key: Key) -> None:
        """Stops reading for the model."""
        known = self._models.pop(key, None)
        if known and known.task:
            known.task.cancel()
        if not any(namespace == key[0] for namespace, _ in self._models):
            self._turns.pop(key[0], None)

    async def close(self) -> None:
        """Stops all reading."""
        tasks = [known.task for known in self._models.values() if known.task]
        self._models.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _follow(self, key: Key, known: _Followed) -> None:
        log_context.about(*key)
        wait = _FIRST_WAIT
        while True:
            try:
                troubles = await self._read(key, known.pods)
            except ApiError as error:
                log.info("%s/%s: Events of its pods: %s", *key, error)
            except Exception as error:
                self._error_log.report(key, "/".join(key), "reading the Events of its pods", error)
            else:
                if troubles != known.troubles:
                    known.troubles = troubles
                    self._wake(key, any(trouble.missing for trouble in troubles.values()))
            await self._timing.sleep(wait)
            wait = min(_LAST_WAIT, 2 * wait)

    async def _read(self, key: Key, pods: Iterable[str]) -> dict[str, Trouble]:
        troubles = {}
        for pod in pods:
            async with self._turns.setdefault(key[0], asyncio.Lock()), self._slots:
                trouble = await self._trouble(key, pod)
                await self._timing.sleep(_APART)
            if trouble:
                troubles[pod] = trouble
        return troubles

    async def _trouble(self, key: Key, pod: str) -> Trouble | None:
        """Raises ApiError."""
        selector = f"involvedObject.kind=Pod,involvedObject.name={pod}"
        page = await self._api.list(
            resources.EVENTS, key[0], fieldSelector=selector, limit=str(_PAGE)
        )
        event = latest(page.get("items") or ())
        if event is None:
            return None
        reason, message = _REASONS[event["reason"]], quoted(event.get("message") or "")
        if reason is not TroubleReason.FAILED_MOUNT:
            return Trouble(reason, message)
        missing = [source for source in self._sources(key, pod) if await self._absent(key, source)]
        if not missing:
            return Trouble(reason, message)
        names = ", ".join(f'{kind.kind.lower()} "{name}" not found' for kind, name in missing)
        # The newest Event may be about another volume, or report only that the time is over.
        return Trouble(reason, names, missing=True)

    async def _absent(self, key: Key, source: Source) -> bool:
        """Returns whether an object is missing; one that may not be read counts as present."""
        try:
            await self._api.get(source[0], key[0], source[1])
        except ApiError as error:
            return error.status == 404
        return False


def latest(events: Iterable[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Returns the newest trouble in a pod's `events`; None if the pod progressed since."""
    ordered = sorted(events, key=_when)
    troubles = [event for event in ordered if event.get("reason") in _REASONS]
    past = [event for event in ordered if event.get("reason") in _PAST]
    if not troubles or (past and _when(past[-1]) >= _when(troubles[-1])):
        return None
    return troubles[-1]


def _when(event: Mapping[str, Any]) -> str:
    """Returns when an Event last occurred, to the second: RFC 3339 in UTC sorts as text."""
    series = event.get("series") or {}
    times = (
        series.get("lastObservedTime"),
        event.get("lastTimestamp"),
        event.get("eventTime"),
        event["metadata"].get("creationTimestamp"),
    )
    return next((str(text)[:19] for text in times if text), "")
