"""Checks every write to a route, and to what the route leads to, against the rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from canarium.kube import resources
from canarium.render import labels
from simulation.clock import seconds
from simulation.gateways import weights
from simulation.server import Write
from simulation.world import KEY, World


class Account(Protocol):
    """What was ready, at the least and at the most, as far as the operator could know."""

    world: World
    staleness: float
    quarantined: set[str]

    def least(self, revisions: set[str]) -> int: ...
    def most(self, revisions: set[str]) -> int: ...
    def broken(self, rule: str, text: str) -> None: ...


def check(account: Account, write: Write) -> None:
    """R0, R4, R9 for a route; that weights make up all, and that both that run are listed."""
    if write.after is None:
        router = (account.world.model()["spec"].get("traffic") or {}).get("router")
        if router == "Gateway":
            account.broken("R12", "the route is removed while the spec asks for it")
        return
    notes = write.after["metadata"].get("annotations", {})
    if notes.get(labels.QUARANTINED):
        account.quarantined.add(notes[labels.QUARANTINED])
    before, after = weights(write.before), weights(write.after)
    if sum(after.values()) != 100:
        account.broken("route", f"weights {after} do not add up to 100")
    staying = [revision for revision in before if _runs(account, revision)]
    if len(after) < min(2, len(staying)):
        account.broken("route", f"{set(staying) - set(after)} runs and is a backend no more")
    old, new = _led(before), _led(after)
    if before == after:
        return
    had = account.least(old)
    if had and not account.most(new):
        account.broken("R0", f"traffic moves from {old} with {had} ready pods to {new}")
    for revision in (name for name in new if after[name] > before.get(name, 0)):
        # R13: it may answer more callers only where it had traffic, and none of the others can.
        covers = before.get(revision, 0) and not account.least((old | new) - {revision})
        if revision in account.quarantined and account.most({revision}) and not covers:
            account.broken("R9", f"quarantined {revision} gets a weight")
        if had and not account.most({revision}):
            account.broken("R4", f"{revision} gets a weight without a ready pod")


def check_deletion(account: Account, revision: str) -> None:
    """R8: no pods go that a gateway still leads to, but those that a Recreate makes room by."""
    rollout = account.world.model()["spec"].get("rollout") or {}
    if not account.least({revision}) or rollout.get("strategy") == "Recreate":
        return
    lately = account.world.gateways.lately(account.staleness)
    if all(led.get(revision) for led in lately):
        account.broken("R8", f"{revision} is deleted while the gateway leads there")


def check_claim(account: Account, status: Mapping[str, Any], before: Mapping[str, Any]) -> None:
    """R6: a share is claimed, and a version promoted, only when the gateway has taken it."""
    if (status.get("route") or {}).get("kind") != "HTTPRoute":
        return
    lately = account.world.gateways.lately(account.staleness)
    was, now = (s.get("stable") or {} for s in (before, status))
    promoted = now.get("revision") == (before.get("candidate") or {}).get("revision")
    if was and promoted and all(led.get(now["revision"]) != 100 for led in lately):
        account.broken("R6", f"{now['revision']} is promoted, the gateway has {lately[-1]}")
    claimed = status.get("candidate") or {}
    revision, share = claimed.get("revision"), claimed.get("effectiveWeight", 0)
    old = before.get("candidate") or {}
    if not share or (revision, share) == (old.get("revision"), old.get("effectiveWeight", 0)):
        return
    if all(led.get(revision, 0) != share for led in lately):
        account.broken("R6", f"{share} % of {revision} is claimed, the gateway has {lately[-1]}")


def _runs(account: Account, revision: str) -> bool:
    """Whether it has a Deployment that is to stay, as far as the operator could know."""
    found = account.world.server.find(resources.DEPLOYMENTS, (KEY[0], f"{KEY[1]}-{revision}"))
    if found is None or "deletionTimestamp" in found["metadata"]:
        return False
    # Kubernetes writes whole seconds.
    made = seconds(found["metadata"]["creationTimestamp"])
    return account.world.clock.now() - made > account.staleness + 1.0


def arrived(world: World, stable: str | None, wanted: Any) -> None:
    """The route is where the spec leads, and nothing is left of what is not needed."""
    route = world.server.find(resources.HTTP_ROUTES, KEY)
    backends = {
        s["metadata"]["labels"][labels.REVISION]
        for s in world.server.all(resources.SERVICES, labels.REVISION)
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
