"""Two operators of one namespace: the second sees the first by its Lease."""

from __future__ import annotations

from typing import Any

import pytest

from canarium.config import Config
from canarium.host.scope_conflicts import SCOPE, ScopeConflicts, common, scope
from canarium.kube.clock import Timing
from canarium.kube.errors import ApiError


class Leases:
    """All Leases of the name canarium; `clock` is the time of who looks."""

    def __init__(self) -> None:
        self.items: list[dict[str, Any]] = []
        self.clock = 0.0
        self.fault: ApiError | None = None
        self.asked: dict[str, str] = {}

    def put(self, where: str, scope: str | None, holder: str = "pod_1", renewed: str = "1") -> None:
        notes = {"annotations": {SCOPE: scope}} if scope else {}
        spec = {"holderIdentity": holder, "leaseDurationSeconds": 15, "renewTime": renewed}
        meta = {"namespace": where, "name": "canarium", **notes}
        self.items = [i for i in self.items if i["metadata"]["namespace"] != where]
        self.items.append({"metadata": meta, "spec": spec})

    async def list(self, resource: Any, namespace: str | None, **query: str) -> dict[str, Any]:
        assert namespace is None
        self.asked = query
        if self.fault:
            raise self.fault
        return {"items": self.items}

    def seen_by(self, home: str, own: str) -> ScopeConflicts:
        return ScopeConflicts(self, home, own, Timing(clock=lambda: self.clock))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [
        ("*", "*", "all namespaces"),
        ("*", "risk,search", "risk, search"),
        ("risk,search", "*", "risk, search"),
        ("a,risk", "risk,z", "risk"),
        ("risk", "search", None),
    ],
)
def test_scopes_overlap_in_the_namespaces_of_both(one: str, other: str, shared: str | None) -> None:
    assert common(one, other) == shared


def test_scope_by_label_counts_as_all_namespaces() -> None:
    assert scope(Config()) == scope(Config(namespace_selector="a=b")) == "*"
    assert scope(Config(namespaces=("b", "a"))) == "a,b"


async def test_living_operator_of_the_same_namespace_is_named() -> None:
    leases = Leases()
    leases.put("platform", "*")
    said = await leases.seen_by("team", "risk").conflicts()
    assert said == ["another Canarium operator (pod_1, namespace platform) already manages risk"]
    assert leases.asked == {"fieldSelector": "metadata.name=canarium"}


async def test_lease_without_overlap_holder_or_scope_does_not_conflict() -> None:
    leases = Leases()
    leases.put("team", "*")
    leases.put("others", "search")
    leases.put("gone", "*", holder="")
    leases.put("silent", None)
    assert await leases.seen_by("team", "risk").conflicts() == []


async def test_dead_operator_conflicts_until_its_lease_expires() -> None:
    leases = Leases()
    leases.put("platform", "*")
    look = leases.seen_by("team", "risk")
    assert await look.conflicts()
    leases.clock = 14.0
    leases.put("platform", "*", renewed="2")
    assert await look.conflicts()
    leases.clock = 28.0
    assert await look.conflicts()
    leases.clock = 29.0
    assert not await look.conflicts()


async def test_missing_permission_does_not_block_the_start_but_a_silent_server_does() -> None:
    leases = Leases()
    leases.fault = ApiError(403, "Forbidden", "no")
    assert await leases.seen_by("team", "risk").conflicts() == []
    leases.fault = ApiError(503, "", "down")
    (said,) = await leases.seen_by("team", "risk").conflicts()
    assert "cannot check for other operators" in said
