"""Which revision is which: the one that the spec asks for, the stable one, and all others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from canarium.api.effective_spec import EffectiveSpec
from canarium.api.states import CommandOutcome, OutcomeKind
from canarium.api.status import CommandEcho, Progress, Status, StatusWarning
from canarium.api.uri import UriInvalid
from canarium.api.uri import parse as parse_uri
from canarium.core.context.following import is_paused_by_command, new_result
from canarium.core.context.once import cached_property
from canarium.core.context.stable import StableSources
from canarium.core.facts.grant import Grant, token_of
from canarium.core.facts.observed import Observed
from canarium.core.facts.periods import Period, parse_periods
from canarium.core.facts.resolution import LONGEST_TOKEN, RESOLVE_ANNOTATION, Follow, ResolveRequest
from canarium.core.facts.revision import (
    QUARANTINED,
    NewRecord,
    Record,
    digest_v1,
    find,
    identity_v1,
    new_record,
)
from canarium.core.facts.takeover import Takeover, takeover_from_text
from canarium.core.facts.traffic import TrafficView


@dataclass(frozen=True, kw_only=True)
class Revisions:
    """The inputs of a decision, and the role of each revision in it.

    `spec` is the raw object, `now` in POSIX seconds.
    """

    name: str
    spec: Mapping[str, Any]
    settings: EffectiveSpec
    status: Status
    observed: Observed
    traffic: TrafficView
    now: float
    #: Commands that this decision consumes.
    commands: tuple[CommandEcho, ...] = ()
    #: Fields of the status that are ignored, and why.
    ignored_fields: tuple[StatusWarning, ...] = ()
    #: The candidate's progress, where this decision has advanced it.
    advanced_progress: Progress | None = None

    # --- the revision that the spec asks for ------------------------------------------------

    @cached_property
    def current_record(self) -> Record | None:
        """Stored record of the revision that the spec asks for: the newest one with its identity,
        or that of the result to which a followed reference has moved."""
        return find(self.spec, self.observed.records, self.moved_to)

    @cached_property
    def new_record(self) -> NewRecord | None:
        """Record to store: none has this spec's identity, its followed reference has a new result,
        or a retry was ordered.

        It may only be stored once its moving reference is resolved; see `is_unresolved`.
        """
        if not self._needs_record:
            return None
        retry, request, result = self._retry, self._reference, self.observed.resolution
        return new_record(
            self.spec,
            self.observed.records,
            after=self.stable,
            retry=retry.token if retry else None,
            resolved=result.uri if request and result and result.request == request else None,
        )

    @cached_property
    def is_unresolved(self) -> bool:
        """Whether the new record waits for the result of its moving reference."""
        request, result = self._reference, self.observed.resolution
        if request is None or not self._needs_record:
            return False
        return result is None or result.request != request or result.uri is None

    @cached_property
    def _needs_record(self) -> bool:
        record, retry = self.current_record, self._retry
        return record is None or (retry is not None and record.retry != retry.token)

    # --- what its URI stands for ------------------------------------------------------------

    @cached_property
    def resolve_request(self) -> ResolveRequest | None:
        """What to resolve: for the new record, or because it is followed (R26)."""
        return self._reference if self._needs_record or self.follows else None

    @property
    def follows(self) -> bool:
        """Whether `spec.model.follow` asks to follow a moving reference."""
        return self.settings.follow_interval is not None and self._reference is not None

    @cached_property
    def follow(self) -> Follow | None:
        """How to follow the reference; None if it is not followed, or a new record waits for it."""
        interval = self.settings.follow_interval
        if interval is None or not self.follows or self.is_unresolved:
            return None
        record, result = self.current_record, self.observed.resolution
        in_effect = record.resolved if record else result.uri if result else None
        token = dict(self.observed.annotations).get(RESOLVE_ANNOTATION, "")
        return Follow(interval, in_effect, token[:LONGEST_TOKEN])

    @cached_property
    def moved_to(self) -> str | None:
        """Result to which the followed reference has moved, and with it the target."""
        return None if self._new_result is None or self._holds_result else self._new_result

    @cached_property
    def held_result(self) -> str | None:
        """New result of the followed reference that waits for the end of a pause."""
        return self._new_result if self._new_result and self._holds_result else None

    @cached_property
    def _new_result(self) -> str | None:
        if not self.follows or self._retry:
            return None
        stored = find(self.spec, self.observed.records)
        return new_result(stored, self._reference, self.observed.resolution)

    @cached_property
    def _holds_result(self) -> bool:
        record = find(self.spec, self.observed.records)
        if self.settings.paused or record is None or self.active_command("resume"):
            return self.settings.paused
        return is_paused_by_command(record, self.status.pause, status_lost=self.status_is_stale)

    @cached_property
    def _reference(self) -> ResolveRequest | None:
        """The moving reference of the spec; None if its URI does not move."""
        model = self.spec.get("model") or {}
        try:
            moves = bool(model.get("uri")) and parse_uri(model["uri"]).moves
        except UriInvalid:
            return None
        if not moves:
            return None
        token = self._retry.token if self._retry else ""
        return ResolveRequest(
            uri=model["uri"],
            endpoint=model.get("endpoint") or "",
            secret=(model.get("credentials") or {}).get("secretName"),
            attempt=f"{digest_v1(identity_v1(self.spec))}/{token}",
        )

    @cached_property
    def _retry(self) -> CommandEcho | None:
        return self.active_command("retry")

    # --- the target -------------------------------------------------------------------------

    @cached_property
    def target(self) -> str:
        """Revision that the spec asks for."""
        if self.new_record:
            return self.new_record.revision
        assert self.current_record is not None
        return self.current_record.revision

    @cached_property
    def artifact_unresolved(self) -> bool:
        """Whether the digest of the model that the target downloads is not yet known."""
        record = self.observed.record(self.target)
        if record is not None:
            return record.pins and record.artifact is None
        model = self.spec.get("model") or {}
        try:
            fetched = bool(model.get("uri")) and parse_uri(model["uri"]).fetched
        except UriInvalid:
            return False
        return fetched and not model.get("digest")

    @cached_property
    def quarantined(self) -> bool:
        """Whether the target has failed before (R9)."""
        return self.has_failed(self.target)

    def has_failed(self, revision: str) -> bool:
        """Returns whether traffic record, ControllerRevision or status record that `revision` has
        failed."""
        record = self.observed.record(revision)
        objects = (self.observed.service, self.observed.route)
        return (
            any(holder and holder.traffic.quarantined == revision for holder in objects)
            or bool(record and record.verdict == QUARANTINED)
            or bool(self.status.failure and self.status.failure.revision == revision)
        )

    # --- commands ---------------------------------------------------------------------------

    def active_command(self, command: str) -> CommandEcho | None:
        """Returns the command that acts in this decision; None without one.

        A command that the traffic record lists has acted already, even if no status lists it.
        """
        return next(
            (
                c
                for c in self.commands
                if c.command == command
                and c.result == CommandOutcome.ACCEPTED
                and not self.has_acted(c)
            ),
            None,
        )

    def has_acted(self, echo: CommandEcho) -> bool:
        """Returns whether the traffic record, or that of stable, has the token of a command of this
        rollout."""
        grant, token = self.traffic.record.grant, token_of(echo)
        if self.takeover and echo.revision == self.stable and self.takeover.released == token:
            return True
        return bool(grant and grant.revision == echo.revision and token in grant.orders)

    @cached_property
    def grant(self) -> Grant | None:
        """The target's grant, from the traffic record."""
        grant = self.traffic.record.grant
        return grant if grant and grant.revision == self.target else None

    # --- who serves -------------------------------------------------------------------------

    @cached_property
    def stable(self) -> str | None:
        """Revision that owns production traffic, or None before the first promotion.

        `core.context.stable` describes the sources and their order. The result is correct after a
        crash between any two writes.
        """
        return StableSources(self.observed, self.status, self.traffic).stable()

    @cached_property
    def status_is_stale(self) -> bool:
        """Whether the status is older than the last promotion, or lost (R18)."""
        stored = self.status.stable.revision if self.status.stable else None
        return self.stable is not None and stored != self.stable

    @cached_property
    def previous(self) -> str | None:
        """Old revision that is kept warm while the new one bakes."""
        revision = None
        if self.status_is_stale:
            revision = self.traffic.record.previous
        elif self.status.previous and self.status.bake_start_time:
            revision = self.status.previous.revision
        deployment = self.observed.deployment(revision)
        if revision == self.stable or deployment is None or deployment.terminating:
            return None
        return revision

    @cached_property
    def promoted_revisions(self) -> frozenset[str]:
        """Revisions that were promoted and have not failed since: stable, predecessors of other
        records, and those that are promoted by a record's periods or the history. Not one that
        became stable only because it alone served (decision 0011)."""
        predecessors = {r.after for r in self.observed.records}
        promoted = {o.revision for o in self.status.history if o.outcome == OutcomeKind.PROMOTED}
        promoted |= {x.revision for x in self.recorded_periods if x.promoted}
        failed = {r.revision for r in self.observed.records if r.verdict == QUARANTINED}
        names = (self.stable, *predecessors, *promoted)
        unreleased = {r.revision for r in self.observed.records if r.took_over}
        return frozenset(x for x in names if x and x not in failed | unreleased)

    @cached_property
    def takeover(self) -> Takeover | None:
        """What stable still owes if it took over and was not promoted (decision 0011)."""
        record = self.observed.record(self.stable)
        return takeover_from_text(record.took_over) if record else None

    @property
    def is_unreleased(self) -> bool:
        """Whether the target is stable, and was not promoted yet."""
        return self.target == self.stable and self.takeover is not None

    @cached_property
    def recorded_periods(self) -> tuple[Period, ...]:
        """The periods on all records, in their order."""
        return tuple(x for r in self.observed.records for x in parse_periods(r.served))

    @cached_property
    def obsolete_revisions(self) -> tuple[str, ...]:
        """Revisions with a Deployment that are neither stable, target nor previous.

        Behind a route, an older revision may have stable's color. If it becomes the target again,
        its Deployment is obsolete too: the callers' Service would select its pods (R4).
        """
        keep = {self.stable, self.previous}
        stable = self.observed.deployment(self.stable)
        return tuple(
            d.revision
            for d in self.observed.deployments
            if d.revision not in keep and not d.terminating
            if d.revision != self.target or (stable and d.color == stable.color)
        )
