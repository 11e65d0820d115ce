"""What else may happen to a rollout by routes: edits of the route, and gateways that reject it."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from canarium.kube import resources
from canarium.render import labels
from simulation import specs
from simulation.adversary import Adversary
from simulation.fields import clone
from simulation.frame import SHORT
from simulation.gateways import REJECTS, SILENT, TAKES
from simulation.server import PERSON
from simulation.world import KEY


class GatewayAdversary(Adversary):
    """Runs begin behind a Gateway; people change their mind about that."""

    @initialize(
        scaling=st.sampled_from(sorted(specs.SCALINGS)),
        strategy=st.sampled_from(specs.STRATEGIES),
        steps=st.sampled_from(sorted(specs.STEPS)),
        underway=st.sampled_from((None, 5.0, 14.0, 45.0)),
    )
    def begin(  # type: ignore[override]
        self, scaling: str, strategy: str, steps: str, underway: float | None
    ) -> None:
        self.wanted = {
            "scaling": scaling,
            "strategy": strategy,
            "steps": steps,
            "router": "Gateway",
        }
        self.world.apply(specs.spec(**self.wanted))
        self.operator.start()
        if underway:
            self.let(12.0)
            self.wanted["version"] = "v2"
            self.world.apply(specs.spec(**self.wanted))
            self.let(underway)

    #: Children that lost their labels are looked for without a route.
    child_loses_its_labels = None  # type: ignore[assignment]

    @rule(router=st.sampled_from(specs.ROUTERS), after=SHORT)
    def user_changes_router(self, router: str, after: float) -> None:
        self.wanted["router"] = router
        self.world.apply(specs.spec(**self.wanted))
        self.let(after)

    @rule(
        answer=st.sampled_from((TAKES, REJECTS, SILENT)),
        lag=st.sampled_from((0.0, 0.05, 1.0, 10.0)),
        after=SHORT,
    )
    def gateway_answers(self, answer: str, lag: float, after: float) -> None:
        self.world.gateways.answer, self.world.gateways.lag = answer, lag
        self.world.nudge()
        self.let(after)

    @rule(after=SHORT)
    def route_is_deleted(self, after: float) -> None:
        if self.world.server.find(resources.HTTP_ROUTES, KEY):
            self.world.server.delete(resources.HTTP_ROUTES, KEY, actor=PERSON)
            self.checks.forgive()
        self.let(after)

    @rule(
        what=st.sampled_from(("weights", labels.STABLE, labels.CANDIDATE, labels.QUARANTINED)),
        after=SHORT,
    )
    def route_is_edited(self, what: str, after: float) -> None:
        route = self.world.server.find(resources.HTTP_ROUTES, KEY)
        if route:
            patch: dict[str, Any] = {"metadata": {"annotations": {what: None}}}
            if what == "weights":
                rules = clone(route["spec"]["rules"])
                for ref in rules[0]["backendRefs"]:
                    ref["weight"] = 100 - ref["weight"]
                patch = {"spec": {"rules": rules}}
            self.world.server.merge(resources.HTTP_ROUTES, KEY, patch, PERSON)
            self.checks.forgive()
        self.let(after)
