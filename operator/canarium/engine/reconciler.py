"""Reconciles one model: observes, decides, writes, and publishes status last.

One reconcile of a key:

1. Read the model and its children from the caches (`Store.observed`). A status that was deferred
   counts as written.
2. `core.planner.plan` decides; it is pure, so a second call with the same facts decides the same.
3. The executor carries out the actions in order. A write that the API server rejects ends them:
   the rejection becomes a fact, and a second plan is made, for its status.
4. The status scheduler publishes status and Events, or defers them while the queue is busy.
5. External facts are requested, or no longer, as the plan states.
"""

from __future__ import annotations

import logging
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

from canarium.api.decode import UnsupportedResource, decode_status
from canarium.api.effective_spec import EffectiveSpec
from canarium.core.decision.plan import Action, Plan, SelectColor, SetRouteWeights
from canarium.core.facts.revision import newer_algorithm
from canarium.core.planner import plan
from canarium.core.status.transitions import with_transitions
from canarium.engine.apply.deferred_deletes import DeferredDeletes
from canarium.engine.apply.executor import Executor
from canarium.engine.apply.rejections import Rejections, WriteRejected
from canarium.engine.cache.model_deployments import CachedModel
from canarium.engine.cache.store import Key, Store
from canarium.engine.deletion import DeletionReporter
from canarium.engine.external_facts import ExternalFacts
from canarium.engine.instrumentation import Observer, Unobserved
from canarium.engine.queue import Urgency, WorkQueue
from canarium.engine.reporting.status_scheduler import StatusScheduler, is_rollback
from canarium.engine.reporting.status_writer import StatusWriter
from canarium.kube.client import Api
from canarium.kube.clock import Timing
from canarium.kube.throttle import first
from canarium.render.fetch_container import FetcherConfig
from canarium.render.notification_text import first_fault
from canarium.telemetry import log_context

log = logging.getLogger(__name__)
_SOONEST = 0.02
#: More actions than the longest plan has.
_MOST_PROGRESS = 32


class Reconciler:
    """Decides about one model at a time and carries the decision out through `api`."""

    def __init__(
        self,
        api: Api,
        store: Store,
        queue: WorkQueue[Key],
        timing: Timing | None = None,
        observer: Observer | None = None,
        external: ExternalFacts | None = None,
        kit: FetcherConfig | None = None,
        *,
        notifies: bool = False,
        approvals_enforced: bool = False,
    ) -> None:
        self._approvals_enforced = approvals_enforced
        self._notifies = notifies
        self._external = external or ExternalFacts()
        self._store = store
        self._queue = queue
        self._timing = timing or Timing()
        self._rejections = Rejections(self._timing.clock)
        self._executor = Executor(api, store, self._rejections, kit)
        self._observer = observer or Unobserved()
        #: What succeeded in the attempts of a reconcile that has failed since.
        self._carried_out: dict[Key, list[Action]] = {}
        #: When the failure was noticed whose rollback is under way.
        self._failed_at: dict[Key, float] = {}
        statuses = StatusWriter(api, store, queue, self._timing, self._observer)
        self._deletions = DeletionReporter(self._executor, statuses, store, queue, self._timing)
        self._status = StatusScheduler(statuses, queue, self._timing)
        self._deferred_deletes = DeferredDeletes(queue, self._timing)

    async def reconcile(self, key: Key) -> None:
        """Reconciles `key` once. Raises ApiError when a write should be retried."""
        parent = self._store.parents.items.get(key)
        if parent is None or parent.raw["metadata"].get("deletionTimestamp"):
            self.forget(key)
            if parent:
                await self._deletions.handle(key, parent.raw)
            return
        stored = parent.raw
        raw = self._status.with_pending_status(key, stored)
        try:
            decision = self._decide(key, parent, raw)
        except UnsupportedResource as error:
            self._external.forget(key)
            await self._status.mark_unsupported(key, stored, str(error))
            return
        log_context.revise(decision.status.revision)
        if self._awaits_source(key, decision):
            return
        self._note_failure(key, decision)
        try:
            for action in decision.actions:
                if self._deferred_deletes.defer(key, decision, action):
                    continue
                log.debug("%s/%s: %s", *key, type(action).__name__)
                with first() if self._rescues(key, action) else nullcontext():
                    await self._executor.carry_out(raw, action)
                self._note_progress(key, action)
                if is_rollback(action):
                    self._report_rollback(key)
                if is_rollback(action) and self._queue.waits(Urgency.FAULT):
                    # A rollback of another model takes priority over the rest of this plan (R8).
                    self._queue.add(key, Urgency.CHANGE)
                    break
            if not decision.actions:
                await self._executor.repair(raw, freeze_route=decision.freeze_route)
        except WriteRejected as rejected:
            if key not in self._store.parents.items:
                self.forget(key)  # It was deleted meanwhile, with its children.
                return
            inputs = (raw["metadata"]["generation"], self._store.selected_runtime(key))
            self._rejections.add(key, inputs, rejected.rejection)
            decision = self._decide(key, parent, raw)
        self._carried_out.pop(key, None)
        self._rejections.set_urgent(key, decision.retry_is_urgent)
        await self._status.publish(key, stored, raw, decision)
        if self._rejections.outdated(key):
            self._queue.add(key, Urgency.CHANGE)
        self._external.want(key, decision.requests, self._settings(key, parent).smoke_tests)
        waits = (decision.requeue_after, self._rejections.next_try(key))
        soonest = min((wait for wait in waits if wait is not None), default=None)
        if soonest is not None:
            # A deadline that has passed is a change of facts like any other.
            self._queue.add_after(key, max(soonest, _SOONEST), Urgency.CHANGE)

    def _note_progress(self, key: Key, action: Action) -> None:
        """Begins a new row of failures, unless the same action succeeded in an earlier attempt: one
        that is decided each time, such as one that another client reverts, does not count."""
        done = self._carried_out.setdefault(key, [])
        if action not in done and len(done) < _MOST_PROGRESS:
            done.append(action)
            self._queue.forget(key)

    def _note_failure(self, key: Key, decision: Plan) -> None:
        """Notes when the failure was noticed that a rollback answers, until its write succeeds."""
        if any(map(is_rollback, decision.actions)):
            self._failed_at.setdefault(key, self._queue.added_at(key))
        else:
            self._failed_at.pop(key, None)

    def _report_rollback(self, key: Key) -> None:
        since = self._failed_at.pop(key, None)
        if since is not None:
            self._observer.rolled_back(max(0.0, self._timing.clock() - since))

    def _awaits_source(self, key: Key, decision: Plan) -> bool:
        """Requests what the plan needs resolved, and returns whether to wait a moment for it.

        Otherwise every new record would first be published as invalid (R26). A fault does not wait.
        """
        left = self._external.resolve(key, decision.requests)
        if left is None or self._queue.urgency(key) is Urgency.FAULT:
            return False
        self._queue.add_after(key, left, Urgency.CHANGE)
        return True

    def _rescues(self, key: Key, action: Action) -> bool:
        """Returns whether callers reach a failed version, or none, until this is written."""
        urgent = self._queue.urgency(key) is Urgency.FAULT
        return is_rollback(action) or (urgent and isinstance(action, SelectColor | SetRouteWeights))

    def forget(self, key: Key) -> None:
        """Drops what is kept of a model that was deleted or that another process decides about, and
        ends what was requested for it."""
        self._carried_out.pop(key, None)
        self._failed_at.pop(key, None)
        self._observer.deleted(key)
        self._rejections.forget(key)
        self._deferred_deletes.forget(key)
        self._status.forget(key)
        self._executor.forget(key)
        self._external.forget(key)

    def _settings(self, key: Key, parent: CachedModel) -> EffectiveSpec:
        """Returns the spec with its defaults, which are resolved once per version of an object and
        its runtime. Raises UnsupportedResource."""
        return parent.effective_spec(self._store.selected_runtime(key).startup_budget)

    def _decide(self, key: Key, parent: CachedModel, raw: dict[str, Any]) -> Plan:
        """Returns the plan for the model `raw`, whose spec is that of `parent`.

        Raises UnsupportedResource.
        """
        generation = raw["metadata"]["generation"]
        status = decode_status(raw.get("status"))
        facts = self._store.observed(key)
        newer = newer_algorithm(raw["spec"], facts.records)
        if newer:
            raise UnsupportedResource(
                f"revision {newer.revision} was stored by the algorithm {newer.algorithm}"
            )
        facts = replace(
            self._external.add_to(facts, key),
            rejections=self._rejections.of(key, (generation, facts.runtime)),
            modified=self._executor.modified(raw),
            notification_fault=first_fault(raw["spec"].get("notifications")),
            approvals_enforced=self._approvals_enforced,
        )
        decision = plan(
            raw["spec"],
            self._settings(key, parent),
            status,
            facts,
            now=self._timing.now(),
            generation=generation,
            name=key[1],
        )
        return with_transitions(decision, status, self._timing.now(), record=self._notifies)
