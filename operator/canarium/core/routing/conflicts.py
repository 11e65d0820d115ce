"""Another route that claims the same requests as a model's route (gateway-api#4303).

Both routes may be `Accepted`, and the gateway silently sends all requests to one of them. When it
is the other, the weights of a rollout have no effect, which the condition `RouteConflicted`, the
message and an Event report (R29). `RouteAccepted` still reports what the gateway answers, and
`Ready` is about the version. Of two models, the one whose route receives no requests reports it.
"""

from __future__ import annotations

from canarium.api.reasons import ConditionType, ConflictReason
from canarium.api.status import Status
from canarium.core.context.context import RolloutContext
from canarium.core.decision.plan import Event
from canarium.core.facts.gateways import Precedence, RouteConflict
from canarium.core.messages import sentences

CONDITION = ConditionType.ROUTE_CONFLICTED


def reported(ctx: RolloutContext) -> tuple[tuple[str, bool, str, str], ...]:
    """Returns the condition `RouteConflicted` while another route claims the same requests."""
    conflict = _conflict(ctx)
    if conflict is None:
        return ()
    reason = ConflictReason.OTHER_ROUTE_WINS if conflict.lost else ConflictReason.THIS_ROUTE_WINS
    return ((CONDITION, True, reason.value, _text(conflict)),)


def named(ctx: RolloutContext, message: str) -> str:
    """Returns `message` with the route that receives the requests of this model, if one does."""
    conflict = _conflict(ctx)
    if conflict is None or not conflict.lost:
        return message
    return sentences(message, _text(conflict))


def events(before: Status, after: Status) -> tuple[Event, ...]:
    """Returns an Event when a conflict is new or its winner has changed."""
    old_reasons = {c.reason for c in before.conditions if c.type == CONDITION}
    return tuple(
        Event("Warning", CONDITION, f"{c.reason}: {c.message}")
        for c in after.conditions
        if c.type == CONDITION and c.reason not in old_reasons
    )


def _conflict(ctx: RolloutContext) -> RouteConflict | None:
    return ctx.observed.route_conflict if ctx.route_kind else None


_WHY = {
    Precedence.OLDER: "is older",
    Precedence.FIRST_BY_NAME: "has the same age and is first by name",
    Precedence.MORE_SPECIFIC_HOSTNAME: "has a more specific hostname",
}


def _text(conflict: RouteConflict) -> str:
    own, other = (
        f"{conflict.kind} {conflict.own}",
        f"{conflict.kind} {conflict.namespace}/{conflict.name}",
    )
    if conflict.model:
        other = f"{other} of ModelDeployment {conflict.namespace}/{conflict.model}"
    claimed = f"on Gateway {conflict.gateway} ({conflict.requests})"
    change = "Change the hostname or path of one route"
    if conflict.lost:
        return sentences(
            f"{other} receives the requests that {own} claims {claimed}: it {_WHY[conflict.why]}",
            "Rollout weights have no effect on those requests",
            change,
        )
    return sentences(
        f"{other} claims the same requests as {own} {claimed}",
        f"{own} receives them because it {_WHY[conflict.why]}",
        change,
    )
