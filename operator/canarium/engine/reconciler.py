"""One key, one decision: facts in, writes out, the status last."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from canarium.api.defaults import settings_of
from canarium.api.model import Spec
from canarium.api.understood import NotUnderstood, understood
from canarium.core import unreadable
from canarium.core.moments import stamp
from canarium.core.observed import Rejection, Runtime
from canarium.core.phases import plan
from canarium.core.plan import Action, Event, Plan, Route, Weigh
from canarium.core.revision import undecidable
from canarium.engine.executor import Executor
from canarium.engine.observer import Observer, Unobserved
from canarium.engine.packing import opened, packed
from canarium.engine.queue import Urgency, WorkQueue
from canarium.engine.refused import Refused
from canarium.engine.store import Key, Store
from canarium.kube import kinds
from canarium.kube.api import Api
from canarium.kube.faults import ApiError
from canarium.kube.timing import Timing
from canarium.render import workload
from canarium.render.fetching import Kit
from canarium.signals.signals import Signals

log = logging.getLogger(__name__)
#: A refusal is believed for so long; then the write is tried again (a quota may have grown).
_REFUSAL_LASTS = 30.0
_SOONEST = 0.02
#: What a refusal was an answer to: the spec's generation, and the runtime that it meant.
Wish = tuple[int, Runtime]
#: Counts of pods that are all that changed go with the next transition; without one they are told
#: so long after they began to differ. That is how far the status may be behind the pods.
_COUNTS_AFTER = 30.0
#: A pod that is stuck is told of sooner.
_STUCK_AFTER = 5.0


#: So far may the status be behind what is in effect while more urgent keys wait.
_TOLD_WITHIN = 30.0


@dataclass(frozen=True, slots=True)
class _Untold:
    """What is in effect and not yet told of a model: packed, since there may be thousands."""

    uid: str
    since: float
    status: bytes
    events: tuple[Event, ...]


class Reconciler:
    """Decides about one key at a time and carries the decision out through `api`."""

    def __init__(
        self,
        api: Api,
        store: Store,
        queue: WorkQueue[Key],
        timing: Timing | None = None,
        observer: Observer | None = None,
        signals: Signals | None = None,
        kit: Kit | None = None,
    ) -> None:
        self._signals = signals
        self._observer = observer or Unobserved()
        self._api = api
        self._store = store
        self._queue = queue
        self._timing = timing or Timing()
        self._executor = Executor(api, store, kit)
        self._refusals: dict[Key, tuple[Wish, float, Rejection]] = {}
        #: Since when nothing but counts of pods differs from the status.
        self._behind: dict[Key, float] = {}
        self._untold: dict[Key, _Untold] = {}

    async def reconcile(self, key: Key) -> None:
        """One decision for `key`, carried out. ApiError when a write should be tried again."""
        parent = self._store.parents.items.get(key)
        if parent is None or parent.raw["metadata"].get("deletionTimestamp"):
            self._forget(key)
            return
        told = parent.raw
        raw = self._in_effect(key, told)
        try:
            decision = self._decide(key, raw)
        except NotUnderstood as error:
            self._untold.pop(key, None)
            await self._leave(key, told, str(error))
            return
        try:
            for action in decision.actions:
                await self._executor.carry_out(raw, action)
                if _off(action) and self._queue.waits(Urgency.FAULT):
                    # Another model's traffic comes before the rest of this decision (R8).
                    self._queue.add(key, Urgency.CHANGE)
                    break
            if not decision.actions:
                await self._executor.repair(raw, route_kept=decision.route_kept)
        except Refused as refused:
            wish = (raw["metadata"]["generation"], self._store.meant(key))
            self._refusals[key] = (wish, self._timing.clock(), refused.rejection)
            decision = self._decide(key, raw)
        await self._tell(key, told, raw, decision)
        if self._signals:
            rollout = Spec.model_validate(raw["spec"]).rollout if decision.asked.smoke else None
            tests = tuple(rollout.smoke_tests or ()) if rollout else ()
            self._signals.want(key, decision.asked, tests)
        if decision.requeue_after is not None:
            self._queue.add_after(key, max(decision.requeue_after, _SOONEST))

    def _forget(self, key: Key) -> None:
        """The model is gone, or going."""
        for known in (self._refusals, self._behind, self._untold):
            known.pop(key, None)
        self._executor.forget(key)
        if self._signals:
            self._signals.forget(key)

    def _in_effect(self, key: Key, told: dict[str, Any]) -> dict[str, Any]:
        """The parent with the status as it would be if all were told. What is not is lost in a
        crash, as it is in one between two writes (R18)."""
        untold = self._untold.get(key)
        if untold is None or untold.uid != told["metadata"]["uid"]:
            self._untold.pop(key, None)
            return told
        return {**told, "status": opened(untold.status)}

    def _later(self, key: Key, decision: Plan) -> Urgency | None:
        """How urgent it is to tell of a decision that is in effect; None: now.

        When many models start at once, each has its children before the first of them is told of;
        when many fail at once, each loses its traffic before that (R8).
        """
        untold = self._untold.get(key)
        if untold and self._timing.clock() - untold.since > _TOLD_WITHIN:
            return None
        if _takes_off(decision):
            return Urgency.CHANGE if self._queue.waits(Urgency.FAULT) else None
        crowded = self._queue.urgency(key) is Urgency.CHANGE and self._queue.waits(Urgency.CHANGE)
        return Urgency.RESYNC if crowded else None

    async def _leave(self, key: Key, raw: dict[str, Any], text: str) -> None:
        """Says that this operator does not understand the model, and touches nothing else."""
        if self._signals:
            self._signals.forget(key)
        status = unreadable.told(raw, text, self._timing.now())
        if status == raw.get("status") or not await self._write_status(key, raw, status):
            return
        await self._announce(key, raw, Event("Warning", unreadable.REASON, text))

    def _decide(self, key: Key, raw: dict[str, Any]) -> Plan:
        """Raises NotUnderstood."""
        generation = raw["metadata"]["generation"]
        spec, status = understood(raw)
        facts = self._store.observed(key, None)
        newer = undecidable(raw["spec"], facts.records)
        if newer:
            raise NotUnderstood(
                f"revision {newer.revision} was stored by the algorithm {newer.algorithm}"
            )
        refused = self._refusal(key, (generation, facts.runtime))
        facts = replace(facts, rejection=refused)
        if self._signals:
            smoke, evidence = self._signals.facts(key)
            facts = replace(facts, smoke=smoke, evidence=evidence)
        return plan(
            raw["spec"],
            settings_of(spec, facts.runtime.startup_budget),
            status,
            facts,
            now=self._timing.now(),
            generation=generation,
            name=key[1],
        )

    def _refusal(self, key: Key, wish: Wish) -> Rejection | None:
        known = self._refusals.get(key)
        if known and known[0] == wish and self._timing.clock() - known[1] < _REFUSAL_LASTS:
            return known[2]
        self._refusals.pop(key, None)
        return None

    async def _tell(
        self, key: Key, told: dict[str, Any], raw: dict[str, Any], decision: Plan
    ) -> None:
        """Tells what was decided on `raw`, or later; `told` is the parent as it is stored."""
        status, now = _dumped(decision), self._timing.clock()
        if status != raw.get("status") and not decision.pressing:
            hold = decision.status.hold
            patience = _STUCK_AFTER if hold and hold.pod else _COUNTS_AFTER
            wait = self._behind.setdefault(key, now) + patience - now
            if wait > 0:
                self._queue.add_after(key, wait)
                status = raw.get("status") or {}
        else:
            self._behind.pop(key, None)
        untold = self._untold.get(key)
        events = (*untold.events, *decision.events) if untold else decision.events
        if status == (told.get("status") or {}) and not events:
            self._untold.pop(key, None)
            return
        before = (told.get("status") or {}).get("commands") or []
        # Part of what a command did may be in the status alone (R16): that waits for nobody.
        answered = (status.get("commands") or []) != before
        later = None if answered else self._later(key, decision)
        if later is not None:
            since = untold.since if untold else now
            self._untold[key] = _Untold(told["metadata"]["uid"], since, packed(status), events)
            self._queue.add(key, later)
            return
        await self._told(key, told, status, events)
        self._untold.pop(key, None)

    async def _told(
        self, key: Key, raw: dict[str, Any], status: dict[str, Any], events: Iterable[Event]
    ) -> None:
        """Writes the status if it is new, against the version that was decided on; then Events."""
        if status != (raw.get("status") or {}):
            if not await self._write_status(key, raw, status):
                return
            self._behind.pop(key, None)
        for event in events:
            await self._announce(key, raw, event)

    async def _announce(self, key: Key, raw: dict[str, Any], event: Event) -> None:
        log.info("%s/%s: %s: %s", *key, event.reason, event.message)
        at = stamp(self._timing.now())
        body = workload.event(raw, event.kind, event.reason, event.message, at)
        try:
            await self._api.create(kinds.EVENTS, key[0], body)
        except ApiError as error:
            log.warning("%s/%s: no Event: %s", *key, error)

    async def _write_status(self, key: Key, raw: dict[str, Any], status: dict[str, Any]) -> bool:
        """Whether it was written; else the parent has changed or gone, and the key comes again."""
        meta = raw["metadata"]
        kept = ("name", "namespace", "uid", "resourceVersion")
        body = {
            "apiVersion": raw["apiVersion"],
            "kind": raw["kind"],
            "metadata": {field: meta[field] for field in kept},
            "status": status,
        }
        try:
            answer = await self._api.replace(kinds.MODELS, *key, body, "status")
        except ApiError as error:
            if error.conflict:
                await self._read_again(key, meta["uid"])
                return False
            if error.not_found:
                self._store.parents.forget(*key, meta["uid"])
                return False
            raise
        self._store.parents.observe(answer)
        newest = status.get("history", [])[:1]
        if newest and newest != (raw.get("status") or {}).get("history", [])[:1]:
            self._observer.ended(newest[0]["outcome"])
        return True

    async def _read_again(self, key: Key, uid: str) -> None:
        """Somebody changed the parent, or replaced it: what is now, read rather than waited for."""
        try:
            now = await self._api.get(kinds.MODELS, *key)
        except ApiError as error:
            if not error.not_found:
                raise
            self._store.parents.forget(*key, uid)
            return
        if now["metadata"]["uid"] != uid:
            self._store.parents.forget(*key, uid)
        self._store.parents.observe(now)
        self._queue.add(key)


def _takes_off(decision: Plan) -> bool:
    return any(_off(action) for action in decision.actions)


def _off(action: Action) -> bool:
    """Whether a failed version loses its traffic by it."""
    return isinstance(action, Route | Weigh) and bool(action.quarantined)


def _dumped(decision: Plan) -> dict[str, Any]:
    return decision.status.model_dump(mode="json", by_alias=True, exclude_none=True)
