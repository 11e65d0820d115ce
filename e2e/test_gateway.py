"""Router Gateway on real parts: Contour, Envoy, pods, and thousands of requests."""

from __future__ import annotations

import json
import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sandbox import Sandbox, clients
from sandbox.gateway import EnvoyGateway, Gateway
from support.burst import Caller
from support.gateway_models import Stage, condition, host, marked, routed, scratch
from support.models import Models, answers

rule = pytest.mark.rule
pytestmark = pytest.mark.needs("gateway")
#: Requests at each weight.
COUNT = 2000
SPLITS = (1, 10, 50, 99)
#: Standard deviations of a binomial count that chance exceeds once in 16,000 tests.
WITHIN = 4.0
#: Seconds from the API server's answer to the route's change to its effect on each request. Taken
#: are some hundredths; beside other tests the processors may be busy for longer.
IN_EFFECT = 5.0
FLIPS = 10
#: Contour batches changes that follow each other within 100 ms.
APART = 0.6
#: Number of a caller's last answers, long after the traffic has moved.
LAST = 5
MANUAL = [{"weight": 50, "pause": "Manual"}]
LATENCY = {"interval": "1s", "minSamples": 20, "checks": [
    {"name": "latency", "metric": "LatencyP95", "maxRatioToStable": "3"}]}  # fmt: skip


@pytest.fixture(scope="module")
def stage(node: Sandbox, gateway: Callable[[], Gateway | EnvoyGateway]) -> Iterator[Stage]:
    """Version 1 of each model is live behind the Gateway."""
    models = Models(node, "routed")
    names = ("exact", "slowly", "quick", "flips", "shadow", "closed", "moved", "deaf")
    stage: Stage | None = None
    try:
        models.apply({n: routed(n, "v1", replicas=1 + (n in ("exact", "closed"))) for n in names})
        # The operator runs before the cluster has any kind of Gateway API.
        stage = Stage(models, gateway())
        for name in names:
            models.phase(name, "Ready", seconds=120)
        yield stage
    finally:
        for caller in stage.callers.values() if stage else ():
            caller.stop()
        models.end()


@rule("R5", "R6", "R14")
def test_split_is_exact_and_no_request_fails_until_the_promotion(
    stage: Stage, figures: Any
) -> None:
    models = stage.models
    inside = models.call("exact")[0]
    stage.call("exact", rate=50)
    steps = [{"weight": weight, "pause": "Manual"} for weight in SPLITS]
    models.apply({"exact": routed("exact", "v2", replicas=2, rollout={"steps": steps})})
    for weight in SPLITS:
        models.effective("exact", weight)
        requests = stage.burst("exact", COUNT)
        share = weight / 100
        error = abs(requests.versions["v2"] - COUNT * share)
        figures(
            "split by requests",
            wanted=f"{weight} %",
            candidate=requests.versions["v2"],
            requests=requests.total,
            chance=f"± {math.sqrt(COUNT * share * (1 - share)):.1f}",
        )
        assert requests.faults == []
        assert error <= WITHIN * math.sqrt(COUNT * share * (1 - share)), requests.versions
        # The header names the same version as the server itself.
        assert requests.header_versions == requests.versions
        assert set(inside.since(0)) == {"v1"}, "callers inside stay with stable"
        stage.promote("exact", f"at-{weight}")
    models.phase("exact", "Ready", "v2")
    caller = stage.callers["exact"]
    assert {reply.version for reply in caller.replies[-LAST:]} == {"v2"}
    newest = {answer.version for answer in inside.answers[-LAST:]}
    assert newest == {"v2"}, "and go with the promotion"
    assert caller.failed() == []
    assert inside.failed() == 0, inside.faults()
    sent = len(caller.replies) + COUNT * len(SPLITS)
    figures("failed requests", what="canary and promotion", requests=sent, failed=0)


@rule("R8", "R17")
def test_slow_version_is_rolled_back_and_no_request_fails(stage: Stage, figures: Any) -> None:
    models = stage.models
    stage.call("slowly", rate=60)
    steps = {"steps": [{"weight": 50, "pause": "60s"}], "analysis": LATENCY}
    models.apply({"slowly": routed("slowly", "slow", rollout=steps)})
    given = models.effective("slowly", 50)
    ended = models.until("slowly", lambda s: s["phase"] == "RollingBack", "a rollback")
    figures(
        "seconds to verdict, router Gateway", version="slow", seconds=round(ended.at - given.at, 1)
    )
    failure = models.phase("slowly", "RolledBack").status["failure"]
    assert failure["reason"] == "AnalysisFailed"
    assert failure["message"].startswith("check latency: ")
    assert float(failure["observed"]) > float(failure["threshold"])
    caller = stage.callers["slowly"]
    assert {reply.version for reply in caller.replies[-LAST:]} == {"v1"}
    assert caller.failed() == []


@rule("R6", "R8")
def test_weights_take_effect_at_once_and_a_rollback_loses_nothing(
    stage: Stage, figures: Any
) -> None:
    models = stage.models
    stage.call("quick", rate=200)
    caller, stable = stage.callers["quick"], "v1"
    first: list[float] = []
    last: list[float] = []
    for tag, command in (("v2", "promote"), ("v4", "abort")):
        models.apply({"quick": routed("quick", tag, rollout={"steps": MANUAL})})
        revision = models.effective("quick", 50).status["candidate"]["revision"]
        first.append(caller.first(tag, stage.writes("quick")[-1]))
        ordered = time.time()
        models.order("quick", command, revision, tag)
        gone = stable if command == "promote" else tag
        if command == "promote":
            models.phase("quick", "Ready", tag)
            stable = tag
        else:
            models.phase("quick", "RolledBack")
        last.append(caller.last(gone, min(w for w in stage.writes("quick") if w > ordered)))
    for what, seconds in (("first of the new", first), ("last of the old", last)):
        took = [round(1000 * s, 1) for s in seconds]
        figures("ms from a weight's change", what=what, of="the operator's", ms=took)
        assert max(seconds) < IN_EFFECT, (what, seconds)
    assert caller.failed() == []


@rule("R6")
def test_flips_take_effect_at_once_and_lose_no_request(stage: Stage, figures: Any) -> None:
    models = stage.models
    models.apply({"flips": routed("flips", "v2", rollout={"steps": MANUAL})})
    status = models.effective("flips", 50).status
    stable, candidate = status["stable"]["revision"], status["candidate"]["revision"]
    # A route of the test's own before the same Services: nothing but the gateway is measured.
    models.kubectl("apply", "-f", "-", stdin=json.dumps(scratch(stable, candidate)))
    headers = {"Host": host("scratch")}
    models.eventually(lambda: answers(stage.url, headers), True)
    caller = stage.callers["scratch"] = Caller(stage.url, rate=200, headers=headers)
    for number in range(FLIPS):
        share = 100 * (1 - number % 2)
        patch = [
            {"op": "replace", "path": f"/spec/rules/0/backendRefs/{place}/weight", "value": weight}
            for place, weight in enumerate((100 - share, share))
        ]
        began = time.time()
        models.kubectl("patch", "httproute", "scratch", "--type=json", "-p", json.dumps(patch))
        caller.first("v2" if share else "v1", began)
        time.sleep(APART)
    caller.stop()
    writes = stage.writes("scratch", by="admin")[-FLIPS:]
    first, last = [], []
    until = [*writes[1:], caller.replies[-1].at]
    for number, (at, then) in enumerate(zip(writes, until, strict=True)):
        new, old = ("v2", "v1") if number % 2 == 0 else ("v1", "v2")
        seen = [r for r in caller.replies if at <= r.at < then]
        first.append(next(1000 * (r.at - at) for r in seen if r.version == new))
        last.append(max((1000 * (r.at - at) for r in seen if r.version == old), default=0.0))
    for what, took in (("first of the new", first), ("last of the old", last)):
        times = f"median {statistics.median(took):.0f}, longest {max(took):.0f}"
        figures("ms from a weight's change", what=what, of=f"{FLIPS} flips", ms=times)
        assert max(took) < 1000 * IN_EFFECT, took
    assert caller.failed() == []
    figures("failed requests", what="flips", requests=len(caller.replies), failed=0)


@rule("R4", "R6")
def test_copies_and_the_header_reach_a_candidate_without_weight(stage: Stage) -> None:
    models = stage.models
    steps = [{"weight": 0, "pause": "Manual"}, *MANUAL]
    models.apply({"shadow": routed("shadow", "v2", mirror=True, rollout={"steps": steps})})
    held = models.until(
        "shadow", lambda s: s.get("waitingFor", {}).get("reason") == "Manual", "weight 0"
    )
    assert held.status["candidate"]["effectiveWeight"] == 0
    # Envoy Gateway reports a route as accepted some milliseconds before Envoy applies it.
    header = {"x_canarium_revision": "candidate"}
    models.eventually(lambda: set(stage.burst("shadow", 1, **header).versions), {"v2"})
    direct = stage.burst("shadow", 200, X_Story="asked", **header)
    assert (direct.versions, direct.faults) == ({"v2": 200}, [])
    copied = stage.burst("shadow", 300, X_Story="copied")
    assert (copied.versions, copied.faults) == ({"v1": 300}, [])
    models.eventually(
        lambda: marked(models, "shadow", held.status["candidate"]["revision"]),
        {"asked": 200, "copied": 300},
    )
    stage.promote("shadow", "on")
    models.effective("shadow", 50)
    both = stage.burst("shadow", 200)
    assert set(both.versions) == {"v1", "v2"}
    assert both.faults == []


def test_infer_reaches_the_gateway_or_states_how_to(stage: Stage) -> None:
    models = stage.models
    status = models.effective("shadow", 50).status
    revisions = {status[role]["revision"] for role in ("stable", "candidate")}
    words = ("infer", "shadow", "--route", "--path", "/", "--repeat", "40", "-o", "json")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "canarium_cli.main", *words, "-n", models.namespace),
            *("--kubeconfig", str(models.sandbox.kubeconfig)),
        ],
        env={**os.environ, "KUBECTL": str(clients.find("kubectl"))},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if isinstance(stage.gateway, Gateway):
        # Its Envoy is not a pod, and the node's address is not that of this machine.
        assert done.returncode == 5, done.stderr
        assert "ass --address" in done.stderr
        return
    assert done.returncode == 0, (done.stdout, done.stderr)
    split = json.loads(done.stdout)
    assert split["sentTo"].startswith("service/envoy through kubectl port-forward as host shadow")
    assert split["knownBy"] == ["header x-canarium-revision"]
    assert {one["revision"] for one in split["split"]} == revisions
    assert sum(one["requests"] for one in split["split"]) == 40


@rule("R8", "R9")
@pytest.mark.parametrize("command", ["abort", "crash"])
def test_header_and_mirror_reach_no_candidate_that_has_failed(
    stage: Stage, figures: Any, command: str
) -> None:
    models, name = stage.models, "closed"
    # Its pods stay for long enough to show that nothing reaches them.
    steps = {"steps": [{"weight": 0, "pause": "Manual"}], "scaleDownDelay": "30s"}
    tag = "v2" if command == "abort" else "v4"
    models.apply({name: routed(name, tag, replicas=2, mirror=True, rollout=steps)})
    held = models.until(
        name, lambda s: s.get("waitingFor", {}).get("reason") == "Manual", "weight 0"
    )
    revision = held.status["candidate"]["revision"]
    header = {"x_canarium_revision": "candidate"}
    models.eventually(lambda: set(stage.burst(name, 1, **header).versions), {tag})
    stage.burst(name, 20, X_Story="before")
    models.eventually(lambda: marked(models, name, revision).get("before"), 20)
    if command == "abort":
        models.order(name, "abort", revision, "closed")
    else:
        stage.crash(name, revision)
    models.until(name, lambda s: s.get("failure"), "a failure")
    models.eventually(lambda: set(stage.burst(name, 1, **header).versions), {"v1"})
    # A server that crashed is started again, and counts from zero.
    chosen = f"canarium.dev/model={name},canarium.dev/revision={revision}"
    models.kubectl("wait", "pods", "-l", chosen, "--for=condition=Ready", "--timeout=30s")
    direct = stage.burst(name, 100, X_Story="asked", **header)
    copied = stage.burst(name, 100, X_Story="copied")
    for requests in (direct, copied):
        assert (requests.versions, requests.faults) == ({"v1": 100}, [])
    assert not {"asked", "copied"} & marked(models, name, revision).keys()
    figures(
        "failed requests", what=f"after {command}", requests=direct.total + copied.total, failed=0
    )
    models.phase(name, "RolledBack", seconds=90)


@rule("R12", "R21")
def test_missing_or_refusing_gateway_is_named_and_traffic_stays(
    stage: Stage,
) -> None:
    models = stage.models
    nowhere = {"namespace": "gateway", "name": "nowhere"}
    for parent, reason in (
        (nowhere, "GatewayNotFound"),
        (Gateway.parent("closed"), "NotAllowedByListeners"),
    ):
        models.apply({"moved": routed("moved", "v2", parent=parent, rollout={"steps": MANUAL})})
        held = models.until(
            "moved", lambda s, reason=reason: condition(s)[1] == reason, reason
        ).status
        assert condition(held)[0] == "False"
        assert "gateway/" in condition(held)[2]
        time.sleep(1)
        now = models.now("moved")
        assert (now["version"], now.get("weight") or 0) == ("v1", 0)
        requests = stage.burst("moved", 100)
        assert (requests.versions, requests.faults) == ({"v1": 100}, [])
    models.apply({"moved": routed("moved", "v2")})
    models.phase("moved", "Ready", "v2")


def waits_for(weight: str) -> Callable[[dict[str, Any]], bool]:
    """Whether a status names the Gateway that has not taken `weight`."""

    def holds(status: dict[str, Any]) -> bool:
        waited = (status.get("waitingFor") or {}).get("threshold") == weight
        return waited and "Gateway gateway/public" in status["message"]

    return holds


@rule("R6", "R18")
def test_gateway_that_is_down_passes_nothing_until_it_is_back(stage: Stage) -> None:
    models, controller = stage.models, stage.gateway.controller
    # Envoy asks for its controller less and less often, at last every 30 s: the pods of the
    # previous version outlast that.
    late = {"steps": MANUAL, "bakeTime": "40s", "scaleDownDelay": "40s"}
    stage.call("deaf", rate=20)
    models.apply({"deaf": routed("deaf", "v2", rollout=late)})
    models.effective("deaf", 50)
    controller.stop()
    try:
        stage.promote("deaf", "while-down")
        held = models.until("deaf", waits_for("weight 100"), "a wait for the Gateway").status
        assert held["waitingFor"]["reason"] == "WaitingForGateway"
        assert condition(held)[:2] == ("False", "Pending")
        time.sleep(2)
        now = models.now("deaf")
        assert (now["version"], now["candidate"]["effectiveWeight"]) == ("v1", 50)
        # Envoy keeps its last configuration.
        requests = stage.burst("deaf", 100)
        assert set(requests.versions) == {"v1", "v2"}
        assert requests.faults == []
    finally:
        controller.restart()
        stage.gateway.await_ready()
    models.until("deaf", lambda s: s.get("version") == "v2", "v2 promoted")
    models.eventually(lambda: set(stage.burst("deaf", 50).versions), {"v2"}, seconds=35)
    assert stage.callers["deaf"].failed() == []


def test_gateway_itself_loses_almost_nothing(stage: Stage, figures: Any) -> None:
    lost = [reply for caller in stage.callers.values() for reply in caller.lost()]
    sent = sum(len(caller.replies) for caller in stage.callers.values())
    figures("failed requests", what="of all callers'", requests=sent, failed=len(lost))
    assert len(lost) <= (sent / 500 if stage.gateway.loses else 0)
