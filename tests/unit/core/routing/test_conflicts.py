"""Which of two routes gets the requests that both claim, and what a model reports about it."""

# I: a route that another route contradicts (gateway-api#4303)

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from canarium.core.facts.gateways import Listener, Precedence, RouteConflict
from canarium.core.facts.route_claims import Attachment, Match, RouteClaim, covers
from canarium.core.facts.route_precedence import between, conflict
from core.cluster import Cluster, gateway_spec

rule = pytest.mark.rule
GATEWAY = ("infra", "public")
WEB = Listener("web", 80, "All")
ALL = Match("PathPrefix", "/")
FRAUD = Match("PathPrefix", "/fraud")
HOST = "a.example.org"
EARLY, LATE = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"


def claim(name: str = "fraud", created: str = LATE, **more: Any) -> RouteClaim:
    """A route in the namespace `risk`; `web` is a foreign one."""
    facts: dict[str, Any] = {
        "namespace": "risk",
        "attachments": (Attachment(*GATEWAY),),
        "hostnames": (HOST,),
        "matches": (FRAUD,),
        "model": "fraud" if name == "fraud" else None,
    }
    facts |= more
    return RouteClaim(kind="HTTPRoute", name=name, uid=name, version=1, created=created, **facts)


def outcome(
    ours: RouteClaim, other: RouteClaim, *listeners: Listener
) -> tuple[bool, Precedence] | None:
    found = between(ours, other, {GATEWAY: listeners or (WEB,)})
    return (found.lost, found.why) if found else None


LOST, WON = (True, Precedence.OLDER), (False, Precedence.OLDER)


@rule("R29")
@pytest.mark.parametrize(
    ("other", "expected"),
    [
        pytest.param({"created": EARLY}, LOST, id="older"),
        pytest.param({"created": "2026-01-03T00:00:00Z"}, WON, id="younger"),
        pytest.param({}, (False, Precedence.FIRST_BY_NAME), id="as old, later name"),
        pytest.param({"name": "also"}, (True, Precedence.FIRST_BY_NAME), id="as old, earlier name"),
        pytest.param(
            {"namespace": "apps"}, (True, Precedence.FIRST_BY_NAME), id="earlier namespace"
        ),
        pytest.param({"created": EARLY, "namespace": "shop"}, LOST, id="older, later namespace"),
    ],
)
def test_equal_claims_are_decided_by_age_and_then_by_name(
    other: dict[str, Any], expected: tuple[bool, Precedence]
) -> None:
    assert outcome(claim(), claim(**{"name": "web", **other})) == expected


@rule("R29")
@pytest.mark.parametrize(
    "match",
    [
        pytest.param(Match("Exact", "/fraud"), id="exact path"),
        pytest.param(Match("PathPrefix", "/fraud/v2"), id="longer prefix"),
        pytest.param(ALL, id="shorter prefix"),
        pytest.param(Match("PathPrefix", "/frau"), id="other prefix"),
        pytest.param(Match("PathPrefix", "/fraud", "GET"), id="method"),
        pytest.param(Match("PathPrefix", "/fraud", None, (("Exact", "x", "y"),)), id="header"),
        pytest.param(Match("PathPrefix", "/fraud", None, (), (("Exact", "x", "y"),)), id="query"),
    ],
)
def test_match_that_is_more_or_less_specific_is_not_a_conflict(match: Match) -> None:
    other = claim("web", EARLY, matches=(match,))
    assert outcome(claim(), other) is None
    assert outcome(claim(matches=(ALL, FRAUD)), claim("web", EARLY, matches=(match, FRAUD))) == LOST


@rule("R29")
@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        pytest.param((HOST,), ("b.example.org",), None, id="other host"),
        pytest.param((), (), LOST, id="none and none"),
        pytest.param(("*.example.org",), ("*.example.org",), LOST, id="same wildcard"),
        pytest.param((HOST,), ("*.example.org",), None, id="ours beneath a wildcard"),
        pytest.param((HOST,), (), None, id="ours is named, the other is not"),
        pytest.param((), (HOST,), None, id="ours is one that no other names"),
        pytest.param(
            ("*.example.org",),
            (HOST,),
            (True, Precedence.MORE_SPECIFIC_HOSTNAME),
            id="host beneath ours",
        ),
        pytest.param(
            ("*.org",),
            ("*.example.org",),
            (True, Precedence.MORE_SPECIFIC_HOSTNAME),
            id="wildcard beneath ours",
        ),
        pytest.param(("*.example.org", HOST), (HOST,), LOST, id="named beside a wildcard"),
        pytest.param(("*.example.org",), ("example.org",), None, id="not beneath the wildcard"),
        pytest.param((HOST, "c.org"), ("c.org", "d.org"), LOST, id="one of several"),
    ],
)
def test_hostnames_decide_before_age(
    ours: tuple[str, ...], theirs: tuple[str, ...], expected: tuple[bool, Precedence] | None
) -> None:
    other = claim("web", EARLY, hostnames=theirs)
    assert outcome(claim(hostnames=ours), other) == expected


@rule("R29")
def test_hostname_of_the_listener_applies_to_a_route_without_hostnames() -> None:
    narrow = Listener("web", 80, "All", HOST)
    unnamed = claim("web", EARLY, hostnames=())
    assert outcome(claim(), unnamed, narrow) == LOST
    assert outcome(claim(hostnames=()), claim("web", EARLY), narrow) == LOST
    assert outcome(claim(), claim("web", EARLY, hostnames=("*.org",)), narrow) == LOST
    assert outcome(claim(hostnames=("b.org",)), unnamed, narrow) is None


@rule("R29")
@pytest.mark.parametrize(
    ("ours", "theirs", "together"),
    [
        pytest.param({}, {}, True, id="all of it"),
        pytest.param({"section": "web"}, {}, True, id="a listener and all"),
        pytest.param({"section": "web"}, {"section": "tls"}, False, id="two listeners"),
        pytest.param({"section": "web"}, {"port": 80}, True, id="a listener by its port"),
        pytest.param({"port": 443}, {"port": 80}, False, id="two ports"),
        pytest.param({"section": "none"}, {}, False, id="no such listener"),
    ],
)
def test_routes_conflict_only_on_a_common_listener(
    ours: dict[str, Any], theirs: dict[str, Any], together: bool
) -> None:
    both = (WEB, Listener("tls", 443, "All"))
    mine = claim(attachments=(Attachment(*GATEWAY, **ours),))
    other = claim("web", EARLY, attachments=(Attachment(*GATEWAY, **theirs),))
    assert outcome(mine, other, *both) == (LOST if together else None)
    elsewhere = claim("web", EARLY, attachments=(Attachment("infra", "private"),))
    assert outcome(mine, elsewhere, *both) is None


@rule("R29")
def test_listener_that_accepts_no_routes_of_a_namespace_has_no_conflict_with_it() -> None:
    own = Listener("web", 80, "Same")
    at = (Attachment("risk", "public"),)
    ours = claim(attachments=at)
    listeners = {("risk", "public"): (own,)}
    assert between(ours, claim("web", EARLY, attachments=at), listeners)
    foreign = claim("web", EARLY, attachments=at, namespace="shop")
    assert between(ours, foreign, listeners) is None


@rule("R29")
def test_gateways_that_cannot_be_read_are_compared_by_name() -> None:
    assert between(claim(), claim("web", EARLY), None)
    section = claim("web", EARLY, attachments=(Attachment(*GATEWAY, "tls"),))
    assert between(claim(attachments=(Attachment(*GATEWAY, "web"),)), section, None) is None


@rule("R29")
def test_model_that_loses_requests_to_another_model_reports_it() -> None:
    listeners = {GATEWAY: (WEB,)}
    first, second = claim(created=EARLY), replace(claim(namespace="shop"), model="fraud")
    assert conflict(first, [second], listeners) is None
    found = conflict(second, [first], listeners)
    assert found
    assert (found.namespace, found.model, found.own) == ("risk", "fraud", "shop/fraud")
    younger = claim("web", "2026-01-03T00:00:00Z")
    found = conflict(first, [second, younger], listeners)
    assert found
    assert (found.name, found.lost) == ("web", False)


def test_wildcards_cover_their_subdomains() -> None:
    assert covers("*.example.org", "a.b.example.org")
    assert covers("*.example.org", "*.b.example.org")
    assert not covers("*.example.org", "example.org")
    assert not covers("*.example.org", "badexample.org")
    assert not covers("a.org", "*.org")


CONFLICT = RouteConflict(
    kind="HTTPRoute",
    own="ns/fraud",
    namespace="shop",
    name="web",
    model=None,
    gateway="ns/public",
    requests="any host, path prefix /",
    lost=True,
    why=Precedence.OLDER,
)


def shown(cluster: Cluster) -> tuple[str, str] | None:
    return next(
        ((c.reason, c.message) for c in cluster.status.conditions if c.type == "RouteConflicted"),
        None,
    )


# I16
@rule("R29")
def test_lost_requests_are_reported_in_condition_message_and_one_event() -> None:
    cluster = Cluster(gateway_spec("1")).run(10)
    assert shown(cluster) is None
    cluster.conflict = CONFLICT
    cluster.run(5)
    found = shown(cluster)
    assert found
    assert found[0] == "OtherRouteWins"
    text = (
        "HTTPRoute shop/web receives the requests that HTTPRoute ns/fraud claims on Gateway "
        "ns/public (any host, path prefix /): it is older. Rollout weights have no effect"
    )
    assert text in found[1]
    assert text in cluster.status.message
    accepted = next(c for c in cluster.status.conditions if c.type == "RouteAccepted")
    assert accepted.status == "True", "the gateway's word"
    cluster.spec = gateway_spec("2")
    cluster.run(5)
    assert cluster.status.phase == "Progressing"
    assert text in cluster.status.message
    assert [e.reason for e in cluster.events].count("RouteConflicted") == 1
    cluster.conflict = None
    cluster.run(1)
    assert shown(cluster) is None
    assert "shop/web" not in cluster.status.message


@rule("R29")
def test_conflict_that_the_model_wins_is_reported_in_the_condition_only() -> None:
    cluster = Cluster(gateway_spec("1")).run(10)
    cluster.conflict = replace(CONFLICT, lost=False)
    cluster.run(2)
    found = shown(cluster)
    assert found
    assert found[0] == "ThisRouteWins"
    assert "HTTPRoute ns/fraud receives them because it is older" in found[1]
    assert "shop/web" not in (cluster.status.message or "")
    cluster.conflict = CONFLICT
    cluster.run(2)
    assert [e.reason for e in cluster.events].count("RouteConflicted") == 2
