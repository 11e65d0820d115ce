"""A route with weights before per-revision Services: router `Gateway`, and others of its form.

The route is the witness of who is stable. Its backends are the Services of single revisions, so a
promotion changes weights and no selector. The callers' Service is never a backend: it selects
stable's colour for callers inside the cluster and moves with the promotion.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from canarium.api.reasons import RouteReason
from canarium.api.status import RouteStatus
from canarium.core.context.router import Fault
from canarium.core.decision.plan import Action, Conceal, Expose, RemoveRoute, Weigh
from canarium.core.decision.plan import Route as Select
from canarium.core.facts.grant import asked
from canarium.core.facts.observed import COLORS
from canarium.core.facts.traffic_record import TrafficRecord
from canarium.core.facts.weights import safe_to_select
from canarium.core.routing.preflight import answered, wanting, writable
from canarium.core.times import parse, stamp

if TYPE_CHECKING:
    from canarium.core.context.context import Situation
    from canarium.core.decision.phase_result import PhaseResult
    from canarium.core.facts.gateways import Route
    from canarium.core.facts.observed import Service

#: Nobody routes by a route of ours then: what it says has no effect.
_UNROUTED = frozenset(
    {RouteReason.GATEWAY_API_MISSING, RouteReason.GATEWAY_NOT_FOUND, RouteReason.ISTIO_MISSING}
)


@dataclass(frozen=True)
class ByRoute:
    """The split is by request, as exact as the gateway is. `kind` is the kind of the route."""

    kind: str

    # --- reading back -----------------------------------------------------------------------

    def witness(self, s: Situation) -> Service | Route | None:
        route = s.observed.route
        return route if route and route.traffic.stable else s.observed.service

    def given(self, s: Situation) -> bool:
        route = self._route(s)
        return bool(
            route and route.traffic.candidate == s.target and route.weight(s.target) is not None
        )

    def taken(self, s: Situation, weight: int) -> bool:
        route = self._route(s)
        if route is None or not self.given(s) or not self._settled(s):
            return False
        # Above it where stable has no ready pod: then the candidate has everything.
        return (route.weight(s.target) or 0) >= weight and not self.give(s, weight)

    def split(self, s: Situation) -> int | None:
        route = self._route(s)
        return route.weight(s.target) if route and self._up(s, s.stable) else None

    def share(self, s: Situation, revision: str) -> int:
        if not s.observed.ready(revision):
            return 0
        route = self._route(s)
        if route and self._settled(s):
            return route.weight(revision) or 0
        told = (s.status.stable, s.status.candidate, s.status.previous)
        return next((t.effective_weight for t in told if t and t.revision == revision), 0)

    def leads_to(self, s: Situation, revision: str) -> bool:
        route = self._route(s)
        return bool(route and route.weight(revision) and s.observed.ready(revision))

    def covers(self, s: Situation, revision: str) -> bool:
        route = self._route(s)
        weight = s.entitled if revision == s.target else 0
        return bool(route and (route.weight(revision) or 0) > weight)

    def fault(self, s: Situation) -> Fault | None:
        return wanting(s, self.kind) or answered(s.observed.route)

    def frozen(self, s: Situation) -> bool:
        return wanting(s, self.kind) is not None

    def status(self, s: Situation) -> RouteStatus | None:
        route = self._route(s)
        if route is None:
            return RouteStatus(kind=self.kind)
        since = self._settled_since(s)
        return RouteStatus(
            kind=route.kind,
            generation=route.generation,
            accepted=route.accepted,
            since=stamp(since) if since is not None else None,
        )

    # --- capacity ---------------------------------------------------------------------------

    def needed(self, weight: int, stable_count: int) -> int:
        count = max(1, stable_count)
        return max(1, -(-count * min(weight, 100) // 100))

    def rises_by_pods(self, s: Situation) -> bool:
        return False

    def color(self, s: Situation) -> str | None:
        """Any but stable's, which callers inside are sent to: the pods of an older version may
        still end in it."""
        if s.stable_color is None:
            return None  # Stable has to come back first, in a colour of its own.
        free = s.color_for(s.target)
        return free or next(color for color in COLORS if color != s.stable_color)

    # --- telling ----------------------------------------------------------------------------

    def give(self, s: Situation, weight: int) -> list[Action]:
        route, stable = self._route(s), s.stable
        if stable is None or wanting(s, self.kind):
            return []
        if s.observed.backend(s.target) is None or s.observed.backend(stable) is None:
            return []
        if route is None and self._up(s, stable):
            return []  # It is made for stable first.
        if not self._up(s, s.target) and (route is None or route.weight(s.target) is None):
            return []  # It is told once its endpoints are there.
        if not self._up(s, s.target):
            weight = 0  # A share for a Service without endpoints is a share of errors.
        elif s.standby == s.target or (weight and not self._up(s, stable)):
            weight = 100
        elif weight and route and route.weight(s.target) is None:
            # Listed first: a proxy that hears of weights before the backend fails requests.
            listed = ((stable, 100), (s.target, 0))
            return [Weigh(self.kind, listed, TrafficRecord(stable, s.target))]
        elif weight and route and not route.weight(s.target) and not route.accepted:
            return []
        direct = self._up(s, s.target) and self._direct(s, weight)
        wanted = Weigh(
            self.kind,
            ((stable, 100 - weight), (s.target, weight)),
            TrafficRecord(stable, s.target),
            direct=direct,
        )
        same = route is not None and self._is(route, wanted)
        return [] if same or not self._given_safely(s, wanted) else [wanted]

    def keep(self, s: Situation, *, relief: bool) -> list[Action]:
        covered = s.standby == s.target
        if self.given(s) or covered or (s.progress.weight and not relief):
            return self.give(s, s.progress.weight)
        return []

    def fail_over(self, s: Situation, to: str) -> list[Action]:
        route = self._route(s)
        if to == s.target:
            # Where there is no route yet, callers inside are all there are.
            moves = self.give(s, s.progress.weight) if route or not self._up(s, s.stable) else []
        elif wanting(s, self.kind) or not self._up(s, to):
            moves = []
        else:
            wanted = self._all_on(s, to)
            same = wanted is None or (route is not None and self._is(route, wanted))
            moves = [wanted] if wanted and not same else []
        return [*moves, *self._select(s, s.previous)]

    def fail_back(self, s: Situation, result: PhaseResult) -> list[Action]:
        """Weights follow stable where they are kept; see `keep` and `upkeep`."""
        route = self._route(s)
        if result.candidate is None or result.progress is None or route is None:
            return []
        weight = asked(result.progress)
        above = self.given(s) and (route.weight(s.target) or 0) > weight
        return self.give(s, weight) if above else []

    def withdraw(self, s: Situation, actions: list[Action], candidate: str | None = None) -> bool:
        color = s.stable_color
        if s.standby:
            actions += [] if s.has_failed(s.standby) else self.fail_over(s, s.standby)
            return False
        if color is None:
            return False
        wanted = self._all_on(s, s.stable, candidate)
        route = self._route(s)
        if route and wanted and writable(s, self.kind):
            if not self._given_safely(s, wanted):
                return False
            if not self._is(route, wanted):
                actions.append(wanted)
        return self._withdrawn(s, color)

    def _withdrawn(self, s: Situation, color: str) -> bool:
        service = s.observed.service
        others = {p.name for p in s.observed.pods if p.revision != s.stable}
        inside = service is not None and service.color == color and not others & service.endpoints
        route = self._route(s)
        fault = wanting(s, self.kind)
        if not inside or (fault and fault.reason in _UNROUTED):
            return inside
        if route is None:
            # One that we may not see can lead there still.
            return s.observed.unserved is None
        busy = any(weight for name, weight in route.weights if name != s.stable)
        return not busy and not route.direct and self._settled(s) and self._left(s) <= 0

    def may_return(self, s: Situation) -> bool:
        if self._route(s) is None:
            return safe_to_select(s.stable_color, s.observed)  # Callers inside are all there are.
        wanted = self._all_on(s, s.stable)
        return wanted is None or self._given_safely(s, wanted)

    def back(self, s: Situation) -> list[Action]:
        route, stable = self._route(s), s.stable
        if route is None or stable is None:
            return [Select(s.stable_color, TrafficRecord(stable, quarantined=s.target))]
        weights = tuple((name, 100 if name == stable else 0) for name, _ in route.weights)
        if route.weight(stable) is None:
            weights = ((stable, 100), *weights)
        return [Weigh(self.kind, weights, TrafficRecord(stable, quarantined=s.target))]

    def ready_to_promote(self, s: Situation) -> bool:
        """The last 100 is a weight as any other; and nobody else answers in its colour."""
        deployment = s.observed.deployment(s.target)
        alone = all(
            pod.revision == s.target
            for pod in s.observed.pods
            if pod.serves and deployment and pod.color == deployment.color
        )
        return alone and self.taken(s, 100)

    def promote(
        self, s: Situation, revision: str, color: str, previous: str | None, since: str
    ) -> list[Action]:
        # The new stable takes the first place while both still answer: it will have it alone, and
        # gateways may go by places.
        weights = ((revision, 100), *(((s.stable, 0),) if s.stable else ()))
        traffic = TrafficRecord(revision, previous=previous, promoted_at=since)
        return [Weigh(self.kind, weights, traffic), Select(color, traffic)]

    def undo(self, s: Situation) -> list[Action]:
        previous = s.observed.deployment(s.previous)
        assert previous is not None
        traffic = TrafficRecord(previous.revision, quarantined=s.target)
        move = Select(previous.color, traffic)
        if self._route(s) is None:
            return [move]
        weights = ((previous.revision, 100), (s.target, 0))
        return [Weigh(self.kind, weights, traffic), move]

    def upkeep(self, s: Situation, result: PhaseResult) -> list[Action]:
        found, route = s.observed.route, self._route(s)
        if found and route is None:
            return [RemoveRoute(found.kind, found.uid)]
        if s.stable is None or result.stable != s.stable:
            return []
        # One that failed has its part until stable can take its traffic.
        led = {name for name, weight in (route.weights if route else ()) if weight}
        parts = {s.stable, result.candidate, result.previous, *led}
        running = [d.revision for d in s.observed.deployments if not d.terminating]
        actions: list[Action] = [
            Expose(name) for name in running if name in parts and s.observed.backend(name) is None
        ]
        if not any(isinstance(a, Weigh) for a in result.actions):
            actions += self._mended(s, result)
        if not any(isinstance(a, Select) for a in result.actions):
            actions += self._select(s, result.previous)
        return [*actions, *self._unused(s, (*running, *parts))]

    def _mended(self, s: Situation, result: PhaseResult) -> list[Action]:
        """The route where it is not there, or not as it has to be when no version moves."""
        if s.standby and s.has_failed(s.standby):
            return []
        wanted = self._all_on(s, s.standby or s.stable)
        if wanted is None or wanting(s, self.kind):
            return []
        route = self._route(s)
        if route is None:
            made = replace(wanted, traffic=replace(wanted.traffic, quarantined=_latched(s)))
            return [made] if self._up(s, s.standby or s.stable) else []
        if result.candidate is not None or self._is(route, wanted):
            return []
        return [wanted] if self._given_safely(s, wanted) else []

    def _select(self, s: Situation, previous: str | None) -> list[Action]:
        """The callers' Service selects the revision that answers, as the route leads there (R18).
        A standby is selected where nobody else answers in its colour."""
        service, color = s.observed.service, s.stable_color
        if s.standby:
            standby = s.observed.deployment(s.standby)
            color = standby.color if standby else None
            same = (p for p in s.observed.pods if p.serves and p.color == color)
            if any(p.revision != s.standby for p in same):
                return []
        if color is None or (
            service and (service.color, service.traffic.stable) == (color, s.stable)
        ):
            return []
        if not safe_to_select(color, s.observed):
            return []
        since = stamp(s.bake_since) if previous else None
        traffic = TrafficRecord(s.stable, previous=previous, promoted_at=since)
        return [Select(color, traffic)]

    def _unused(self, s: Situation, used: Iterable[str | None]) -> list[Action]:
        """Services that no gateway leads to any more."""
        route = self._route(s)
        if route and not self._settled(s):
            return []
        return [
            Conceal(b.revision, b.uid)
            for b in s.observed.backends
            if b.revision not in used and (route is None or route.weight(b.revision) is None)
        ]

    def recheck(self, s: Situation) -> float | None:
        left = self._left(s)
        return left if left > 0 else None

    # --- parts ------------------------------------------------------------------------------

    def _route(self, s: Situation) -> Route | None:
        route = s.observed.route
        return route if route and route.kind == self.kind else None

    def _up(self, s: Situation, revision: str | None) -> bool:
        """Whether the Service of `revision` has a ready pod behind it."""
        backend = s.observed.backend(revision)
        ready = {p.name for p in s.observed.pods_of(revision) if p.serves}
        return bool(backend and backend.endpoints & ready)

    def _direct(self, s: Situation, weight: int) -> bool:
        wanted = s.settings.route
        return bool(wanted and (wanted.header or (wanted.mirror and weight == 0)))

    def _all_on(self, s: Situation, whom: str | None, candidate: str | None = None) -> Weigh | None:
        """`whom` has everything; who else runs stays a backend, so that its counters go on. The
        `candidate` stays named where it is, as what it was granted stays on record; alone it is no
        reason for a write."""
        if whom is None:
            return None
        route = self._route(s)
        now = [name for name, _ in (route.weights if route else ())]
        listed = [n for n in now if n in (whom, s.stable) or s.observed.deployment(n)]
        listed = [*(n for n in (whom,) if n not in listed), *listed]
        named = route.traffic.candidate if route else None
        return Weigh(
            self.kind,
            tuple((name, 100 if name == whom else 0) for name in listed),
            TrafficRecord(
                s.stable,
                candidate=candidate if candidate and candidate == named else None,
                quarantined=_latched(s),
                previous=s.previous,
                promoted_at=stamp(s.bake_since) if s.previous else None,
            ),
        )

    def _given_safely(self, s: Situation, wanted: Weigh) -> bool:
        """R0, by the pods that are ready now and those that would have the traffic then."""
        route = self._route(s)
        now = [name for name, weight in (route.weights if route else ()) if weight]
        then = [name for name, weight in wanted.weights if weight]
        answers = any(s.observed.ready(name) for name in then)
        return answers or not any(s.observed.ready(name) for name in now)

    def _is(self, route: Route, wanted: Weigh) -> bool:
        """Whether the route gives what is wanted, to whom. Who is warm or failed is told with the
        next change: alone it is no reason for a write."""

        def split(of: Route | Weigh) -> tuple[object, ...]:
            return dict(of.weights), of.traffic.stable, of.traffic.candidate, of.direct

        return split(route) == split(wanted)

    def _settled(self, s: Situation) -> bool:
        route = self._route(s)
        return bool(route and route.accepted)

    def _settled_since(self, s: Situation) -> float | None:
        route, told = self._route(s), s.status.route
        if route is None or not route.accepted:
            return None
        known = told and told.accepted and told.since and told.kind == route.kind
        if known and told and told.since and told.generation == route.generation:
            return min(s.now, parse(told.since))
        return s.now

    def _left(self, s: Situation) -> float:
        """Seconds that pods without traffic still live, for requests under way (R8)."""
        if all(d.revision == s.stable for d in s.observed.deployments):
            return 0.0
        since = self._settled_since(s)
        return since + s.settings.scale_down_delay - s.now if since is not None else 0.0


def _latched(s: Situation) -> str | None:
    return s.target if s.quarantined else None
