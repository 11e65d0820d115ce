"""What a witness says of writes to routes, and to what they lead to."""

from __future__ import annotations

from typing import Any, Protocol

from canarium.kube import kinds
from canarium.render import labels
from simulation.gateways import weights
from simulation.server import Write
from simulation.world import KEY, World


class Account(Protocol):
    """What was ready, at the least and at the most, as far as the operator could know."""

    world: World
    staleness: float
    latched: set[str]

    def least(self, revisions: set[str]) -> int: ...
    def most(self, revisions: set[str]) -> int: ...
    def broken(self, rule: str, text: str) -> None: ...


def check(account: Account, write: Write) -> None:
    """R0, R4, R9 for a route; and that no weights make up nothing."""
    if write.after is None:
        router = (account.world.model()["spec"].get("traffic") or {}).get("router")
        if router == "Gateway":
            account.broken("R12", "the route is removed while the spec asks for it")
        return
    notes = write.after["metadata"].get("annotations", {})
    if notes.get(labels.QUARANTINED):
        account.latched.add(notes[labels.QUARANTINED])
    before, after = weights(write.before), weights(write.after)
    if sum(after.values()) != 100:
        account.broken("route", f"weights {after} are no hundred")
    old, new = _led(before), _led(after)
    if old == new:
        return
    had = account.least(old)
    if had and not account.most(new):
        account.broken("R0", f"traffic moves from {old} with {had} ready pods to {new}")
    for revision in new - old:
        if revision in account.latched and account.most({revision}):
            account.broken("R9", f"quarantined {revision} gets a weight")
        if had and not account.most({revision}):
            account.broken("R4", f"{revision} gets a weight without a ready pod")


def check_deletion(account: Account, revision: str) -> None:
    """R8: no pods go that a gateway still leads to."""
    if account.staleness or not account.least({revision}):
        return
    if account.world.gateways.led.get(revision):
        account.broken("R8", f"{revision} is deleted while the gateway leads there")


def arrived(world: World, stable: str | None, wanted: Any) -> None:
    """The route is where the spec leads, and nothing is left of what is not needed."""
    route = world.server.find(kinds.HTTP_ROUTES, KEY)
    backends = {
        s["metadata"]["labels"][labels.REVISION]
        for s in world.server.all(kinds.SERVICES, labels.REVISION)
    }
    if wanted != "Gateway":
        assert route is None, f"a route is left: {weights(route)}"
        assert not backends, f"Services are left: {backends}"
        return
    assert weights(route) == {stable: 100}, weights(route)
    assert world.gateways.led == {stable: 100}, world.gateways.led
    assert backends == {stable}, backends


def _led(found: dict[str, int]) -> set[str]:
    return {revision for revision, weight in found.items() if weight}
