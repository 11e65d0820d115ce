"""What the facts of one moment mean: who is stable, who is wanted, what may be touched.

The callers' Service, or the route before it, is the witness of who is stable: its annotations
change in the same write as its selector or weights, so they are true after a crash between any two
writes (R18). The status comes second, what route and Service really lead to third, the records'
verdicts last.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from canarium.api.effective_spec import EffectiveSpec, Step
from canarium.api.status import CommandEcho, Pause, Progress, Status, StatusWarning
from canarium.api.uri import UriInvalid
from canarium.api.uri import parse as parse_uri
from canarium.core.context import standby as standbys
from canarium.core.context.position import progress_of, token_of
from canarium.core.context.router import Router
from canarium.core.facts.gateways import Route
from canarium.core.facts.grant import Grant, pause_of
from canarium.core.facts.observed import COLORS, Deployment, Observed, Pod, Service
from canarium.core.facts.periods import read
from canarium.core.facts.revision import NewRecord, Record, find, new_record
from canarium.core.routing.preflight import lost
from canarium.core.routing.service_router import ServiceRouter
from canarium.core.routing.weighted_router import WeightedRouter
from canarium.core.times import parse, stamp

#: Seconds without a ready pod of stable after which a candidate is made, and gets all its pods.
STABLE_DOWN_GRACE = 10.0
#: Seconds past its time after which a pod that is to end counts for nothing.
STUCK_AFTER = 10.0
QUARANTINED = "Quarantined"


@dataclass(frozen=True)
class RolloutContext:
    """Facts, settings and the clock (`now`, POSIX seconds), with what follows from them.

    `answers` are the commands that this decision consumes.
    """

    name: str
    spec: Mapping[str, Any]
    settings: EffectiveSpec
    status: Status
    observed: Observed
    now: float
    commands: tuple[CommandEcho, ...] = ()
    #: What the status says and is not believed.
    ignored_fields: tuple[StatusWarning, ...] = ()
    #: The candidate's progress, where this decision has moved it.
    advanced_progress: Progress | None = None

    # --- what is wanted ---------------------------------------------------------------------

    @cached_property
    def current_record(self) -> Record | None:
        """The stored record of what the spec asks for."""
        return find(self.spec, self.observed.records)

    @cached_property
    def new_record(self) -> NewRecord | None:
        """The revision to store: no record has this spec's identity, or a retry was ordered."""
        retry = self.active_command("retry")
        if self.current_record and (retry is None or self.current_record.retry == retry.token):
            return None
        token = retry.token if retry else None
        return new_record(self.spec, self.observed.records, after=self.stable, retry=token)

    @cached_property
    def target(self) -> str:
        """The revision that the spec asks for."""
        if self.new_record:
            return self.new_record.revision
        assert self.current_record is not None
        return self.current_record.revision

    def active_command(self, command: str) -> CommandEcho | None:
        """The answer to `command` if it acts in this decision: not if the record says that it has
        acted before, though no status tells of it."""
        return next(
            (
                a
                for a in self.commands
                if a.command == command and a.result == "Accepted" and not self.has_acted(a)
            ),
            None,
        )

    def has_acted(self, order: CommandEcho) -> bool:
        """Whether the record has the token of a command of this rollout."""
        grant = self.witness.traffic.grant if self.witness else None
        return bool(grant and grant.revision == order.revision and token_of(order) in grant.orders)

    @cached_property
    def strategy(self) -> str:
        """The strategy in effect: once a rollout has begun, a change waits until it is over (R12).
        The rollout of another revision, which this spec ended (R10), says nothing about this
        one's."""
        began = self._began_with
        return began[0] if began and self._begun else self.settings.strategy

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """The steps in effect: those of the spec, unless it asks for another strategy by now."""
        if self.strategy == self.settings.strategy:
            return self.settings.steps
        return self._began_with[1] if self._began_with else ()

    @cached_property
    def _began_with(self) -> tuple[str, tuple[Step, ...]] | None:
        """Strategy and steps of the rollout under way, by the status or else by the record."""
        progress, of = self.status.progress, self.status.candidate or self.status.failure
        if progress and progress.strategy and of and of.revision == self.target:
            steps = (Step(x.weight, pause_of(x.pause)) for x in progress.steps)
            return progress.strategy, tuple(steps)
        if self.grant and self.grant.strategy:
            return self.grant.strategy, self.grant.steps
        return None

    @property
    def _begun(self) -> bool:
        """Whether anything was done for the wanted revision: made, or room for it."""
        stable = self.observed.deployment(self.stable)
        made = self.observed.deployment(self.target) or self.observed.pods_of(self.target)
        return bool(made) or stable is None or stable.replicas == 0

    @cached_property
    def quarantined(self) -> bool:
        """Whether the wanted revision has failed before (R9)."""
        return self.has_failed(self.target)

    def has_failed(self, revision: str) -> bool:
        """Whether any place tells that `revision` has failed."""
        record, told = self.observed.record(revision), (self.observed.service, self.observed.route)
        return (
            any(witness and witness.traffic.quarantined == revision for witness in told)
            or bool(record and record.verdict == QUARANTINED)
            or bool(self.status.failure and self.status.failure.revision == revision)
        )

    # --- who splits traffic -----------------------------------------------------------------

    @cached_property
    def route_kind(self) -> str | None:
        """The kind of the route in effect, None without one: a change waits until nothing but one
        version runs, and callers inside are sent to it (R12)."""
        told, route, service = self.status.route, self.observed.route, self.observed.service
        now = told.kind if told else route.kind if route else None
        wanted = self.settings.route.kind if self.settings.route else None
        moves = self.status.stable and (self.status.candidate or self.status.previous)
        alone = len(self.observed.deployments) <= 1 and not moves
        agreed = not (route and route.traffic.stable and service) or (
            route.traffic.stable == service.traffic.stable
        )
        return wanted if (alone and agreed) or lost(self, wanted) else now

    @cached_property
    def router(self) -> Router:
        return WeightedRouter(self.route_kind) if self.route_kind else ServiceRouter()

    @cached_property
    def witness(self) -> Service | Route | None:
        return self.router.witness(self)

    # --- who serves -------------------------------------------------------------------------

    @cached_property
    def stable(self) -> str | None:
        service, witness = self.observed.service, self.witness
        if witness and self._is_credible(witness) and not self._contradicted(witness):
            return witness.traffic.stable
        if self.status.stable and self.exists(self.status.stable.revision):
            return self.status.stable.revision
        led = (
            [name for name, weight in self.observed.route.weights if weight]
            if (self.observed.route)
            else []
        )
        if len(led) == 1 and self.exists(led[0]):
            return led[0]
        if service and service.color:
            selected = [d for d in self.observed.deployments if d.color == service.color]
            if selected:
                return selected[0].revision
        return self._served_last

    def _is_credible(self, witness: Service | Route) -> bool:
        """Whether the record's stable is believed: something of it exists, or the status or a
        rollout's grant vouches for it. A stable of which everything was deleted is down, and
        nobody is promoted in its place without an order (R12)."""
        named = witness.traffic.stable
        if named is None or self.exists(named):
            return named is not None
        told = self.status.stable.revision if self.status.stable else None
        return named == told or (told is None and witness.traffic.grant is not None)

    def _contradicted(self, witness: Service | Route) -> bool:
        """Whether the record names a stable that its own object does not lead to, as after an edit
        by hand, while the status names one that it does: a promotion changes both in one write."""
        named, told = witness.traffic, self.status.stable
        if told is None or told.revision == named.stable or not self.exists(told.revision):
            return False
        if told.revision == named.previous:
            return False  # Promoted since; the version before may answer for it (R15).
        alone = named.candidate in (None, named.stable)
        if isinstance(witness, Route):
            return alone and any(w for name, w in witness.weights if name != named.stable)
        if witness.color == "":
            return alone
        deployments = (self.observed.deployment(x) for x in (named.stable, told.revision))
        theirs, ours = (d.color if d else None for d in deployments)
        return named.candidate == named.stable or (
            witness.color in COLORS and theirs != witness.color == ours
        )

    @cached_property
    def _served_last(self) -> str | None:
        """Who was stable, by the records and Deployments alone.

        A Deployment goes only after its successor was promoted: where the newest record's
        predecessor has one, the newest was not promoted yet, else it was.
        """
        newest = max(self.observed.records, key=lambda r: r.number, default=None)
        if newest is None or newest.after is None:
            return None
        running = {d.revision for d in self.observed.deployments}
        if newest.after in running or newest.revision not in running:
            return newest.after
        return newest.revision if newest.verdict != QUARANTINED else newest.after

    @cached_property
    def promoted_revisions(self) -> frozenset[str]:
        """Revisions known to have been promoted once and not to have failed since: who serves,
        who served when another record was made, and what records and the history tell."""
        noted = {r.after for r in self.observed.records}
        told = {o.revision for o in self.status.history if o.outcome == "Promoted"}
        told |= {x.revision for r in self.observed.records for x in read(r.served) if x.promoted}
        failed = {r.revision for r in self.observed.records if r.verdict == QUARANTINED}
        return frozenset(x for x in (self.stable, *noted, *told) if x and x not in failed)

    def exists(self, revision: str | None) -> bool:
        """Whether there is anything of `revision`."""
        known = self.observed.record(revision) or self.observed.deployment(revision)
        return known is not None

    @cached_property
    def status_is_stale(self) -> bool:
        """Whether the status is of before the last promotion, or lost (R18)."""
        told = self.status.stable.revision if self.status.stable else None
        return self.stable is not None and told != self.stable

    @cached_property
    def previous(self) -> str | None:
        """The warm old revision while baking."""
        revision = None
        if self.status_is_stale:
            revision = self.witness.traffic.previous if self.witness else None
        elif self.status.previous and self.status.bake_start_time:
            revision = self.status.previous.revision
        deployment = self.observed.deployment(revision)
        if revision == self.stable or deployment is None or deployment.terminating:
            return None
        return revision

    @cached_property
    def bake_start(self) -> float:
        """When the bake began, pauses taken out."""
        if not self.status_is_stale and self.status.bake_start_time:
            return parse(self.status.bake_start_time) + self.paused_for
        told = self.witness.traffic.promoted if self.witness else None
        return min(told, self.now) if told is not None else self.now

    @cached_property
    def artifact_unresolved(self) -> bool:
        """Whether it is not yet known which bytes the wanted revision fetches."""
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
    def stable_replicas(self) -> int:
        """N: how many pods stable is meant to have now (R5)."""
        if not self.settings.autoscaled:
            return self.settings.replicas or 0
        deployment = self.observed.deployment(self.stable)
        # While it is not seen, having lost its labels, its pods tell.
        live = deployment.replicas if deployment else len(self.observed.pods_of(self.stable))
        return max(self.settings.min_replicas, min(live, self.settings.max_replicas))

    @cached_property
    def stable_color(self) -> str | None:
        """Stable's colour; what the Service selects for it when its Deployment is gone."""
        deployment = self.observed.deployment(self.stable)
        if deployment:
            return deployment.color
        service = self.observed.service
        if service is None or self.stable is None or service.traffic.stable != self.stable:
            return None
        return service.color if service.color in COLORS else None

    def free_color(self, revision: str | None) -> str | None:
        """The colour for a Deployment of `revision` that is to be made: the one that its pods still
        have, or that the Service selects for it as stable; else a free one. None: it has to wait,
        as other revisions have pods of it."""
        held = [x for x in self.observed.pods if x.revision != revision and not self.is_stuck(x)]
        live = [d for d in self.observed.deployments if d not in self._hung]
        taken = {x.color for x in held} | {d.color for d in live if d.revision != revision}
        own = {pod.color for pod in self.observed.pods_of(revision)}
        if revision == self.stable:
            # A selector that was edited by hand may name the colour of somebody else.
            if self.stable_color and self.stable_color not in taken and not own:
                own.add(self.stable_color)
        elif self.stable_color:
            taken.add(self.stable_color)
        wanted = [color for color in COLORS if color in own] or COLORS
        return next((color for color in wanted if color not in taken), None)

    def is_stuck(self, pod: Pod) -> bool:
        """Whether a pod that is to end has not, well past its time, and serves nobody: its node is
        gone, or a finalizer holds it. It will not serve again, so it holds nothing back."""
        late = pod.terminating and pod.ends is not None and self.now - pod.ends >= STUCK_AFTER
        service = self.observed.service
        return late and not pod.ready and not (service and pod.name in service.endpoints)

    @cached_property
    def _hung(self) -> tuple[Deployment, ...]:
        """Deployments that are deleted and wait for nothing but pods that are stuck."""
        return tuple(
            d
            for d in self.observed.deployments
            if d.terminating
            and self.observed.pods_of(d.revision)
            and all(self.is_stuck(pod) for pod in self.observed.pods_of(d.revision))
        )

    @cached_property
    def candidate_has_traffic(self) -> bool:
        """Whether this candidate was let to callers, as far as the witness says."""
        return self.router.is_exposed(self)

    @cached_property
    def standby(self) -> str | None:
        """The revision that answers in place of stable, which has no ready pod."""
        return standbys.standby(self)

    @cached_property
    def stable_grace_is_over(self) -> bool:
        """Stable has had no ready pod for so long that its fix needs room (R13)."""
        since = self.stable_unavailable_since
        return since is not None and self.now - since >= STABLE_DOWN_GRACE

    @cached_property
    def stable_grace_left(self) -> float | None:
        """Seconds until a candidate is made, or gets all its pods, since stable has no ready pod;
        None when it has one, when that is so by now, or when there is no candidate (R13)."""
        if (
            self.stable_unavailable_since is None
            or self.stable_grace_is_over
            or self.target == self.stable
        ):
            return None
        return self.stable_unavailable_since + STABLE_DOWN_GRACE - self.now

    @cached_property
    def stable_unavailable_since(self) -> float | None:
        if self.stable is None or self.stable_replicas == 0 or self.observed.ready(self.stable):
            return None
        if self.status.stable_unavailable_start_time:
            return min(self.now, parse(self.status.stable_unavailable_start_time))
        return self.now

    def waiting_since(self, reason: str) -> float:
        """Returns since when `reason` is waited for (POSIX seconds): the present moment, unless
        the status reports that wait already."""
        hold = self.status.waiting_for
        return parse(hold.start_time) if hold and hold.reason == reason else self.now

    # --- clocks -----------------------------------------------------------------------------

    @cached_property
    def paused_by(self) -> str | None:
        """What holds the clocks of steps and bake (R16): spec.paused or a command."""
        if self.settings.paused:
            return "spec.paused"
        order = self.active_command("pause")
        if order:
            return f"command pause, token {order.token}"
        if self.active_command("resume"):
            return None
        pause = self.status.pause
        if pause and pause.by != "spec.paused" and pause.revision == self.target:
            return pause.by
        record = self.observed.record(self.target)
        if self.status_is_stale and record and "paused" in record.commands:
            return "command pause"
        return None

    @cached_property
    def pause(self) -> Pause | None:
        """The pause as the status keeps it."""
        if self.paused_by is None:
            return None
        old = self.status.pause
        since = old.start_time if old else stamp(self.now)
        return Pause(start_time=since, by=self.paused_by, revision=self.target)

    @cached_property
    def clock(self) -> float:
        """The time of steps and bake: it stands still while paused."""
        return min(self.now, parse(self.pause.start_time)) if self.pause else self.now

    @cached_property
    def paused_for(self) -> float:
        """Seconds of a pause that is over now, by which steps and bake have to move on."""
        if self.pause or not self.status.pause:
            return 0.0
        return max(0.0, self.now - parse(self.status.pause.start_time))

    @cached_property
    def grant(self) -> Grant | None:
        """What the record says that the wanted revision was granted."""
        grant = self.witness.traffic.grant if self.witness else None
        return grant if grant and grant.revision == self.target else None

    @cached_property
    def entitled_weight(self) -> int:
        """The percent that the candidate was granted or has reached: above that, it has traffic for
        stable's sake alone. It does not go by what the router does now, as `progress` may."""
        told, candidate = self.status.progress, self.status.candidate
        mine = (
            told and candidate and candidate.revision == self.target and not self.progress_is_bogus
        )
        return max(self.grant.weight if self.grant else 0, told.weight if told and mine else 0)

    @cached_property
    def progress(self) -> Progress:
        """The candidate's progress, as this decision has moved it so far (R18)."""
        return self.advanced_progress or progress_of(self)

    @cached_property
    def progress_is_bogus(self) -> bool:
        """The status speaks of traffic that the witness was never told to give."""
        told, witness, candidate = self.status.progress, self.witness, self.status.candidate
        if not told or not told.weight or witness is None:
            return False
        if candidate is None or candidate.revision != self.target:
            return False  # Of another revision: it means nothing for this one.
        if self.route_kind and isinstance(witness, Service):
            return False  # Somebody deleted the route: the Service never told of weights.
        if self.target in (witness.traffic.quarantined, witness.traffic.stable):
            return False  # Taken back or promoted since: the status is about to say so.
        both = isinstance(witness, Service) and witness.color == ""
        named = witness.traffic.candidate
        return (named is None and not both) or named not in (None, self.target)

    @cached_property
    def obsolete_revisions(self) -> tuple[str, ...]:
        """Revisions with a Deployment that has no part in what is wanted now."""
        keep = {self.stable, self.target, self.previous}
        return tuple(
            d.revision
            for d in self.observed.deployments
            if d.revision not in keep and not d.terminating
        )
