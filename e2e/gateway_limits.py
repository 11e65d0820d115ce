"""What a gateway accepts and then does otherwise, tried on the real one: the table of
docs/guides/traffic.md. Not collected by itself: `make test-gateways` runs it for each gateway.

Each test creates a separate route to the Services of one model's two versions.
"""

from __future__ import annotations

import http.client
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sandbox import Sandbox
from sandbox.gateway import EnvoyGateway, Gateway
from support.burst import Caller, burst
from support.gateway_models import condition, host, marked, routed
from support.grpc_client import HOST, Speaker, spoken
from support.models import Models, answers

COUNT = 400
MANUAL = [{"weight": 50, "pause": "Manual"}]
API = "gateway.networking.k8s.io/v1"

Rule = dict[str, Any]


class Trial:
    """A model of which two versions run, and routes by hand before them."""

    def __init__(self, models: Models, url: str) -> None:
        self.models, self.url = models, url
        status = models.effective("limits", 50).status
        self.stable: str = status["stable"]["revision"]
        self.candidate: str = status["candidate"]["revision"]

    def backend(self, revision: str, weight: int, **more: Any) -> Rule:
        return {"name": f"limits-{revision}", "port": 80, "weight": weight, **more}

    def route(self, name: str, rule: Rule) -> dict[str, str]:
        """Makes an HTTPRoute of one rule; the headers that lead there, once it is answered."""
        body = {
            "apiVersion": API,
            "kind": "HTTPRoute",
            "metadata": {"name": name},
            "spec": {
                "parentRefs": [Gateway.parent()],
                "hostnames": [host(name)],
                "rules": [rule],
            },
        }
        # Fields that the installed kinds lack are dropped, not refused.
        self.models.kubectl("apply", "--validate=ignore", "-f", "-", stdin=json.dumps(body))
        self.models.eventually(lambda: self._status(name).get("Accepted"), "True")
        return {"Host": host(name)}

    def conditions(self, name: str) -> dict[str, str]:
        """The conditions of a route by their type."""
        return self._status(name)

    def _status(self, name: str) -> dict[str, str]:
        route = json.loads(self.models.kubectl("get", "httproute", name, "-o", "json"))
        parents = route.get("status", {}).get("parents", [])
        return {c["type"]: c["status"] for parent in parents for c in parent["conditions"]}


pytestmark = pytest.mark.needs("gateway")


@pytest.fixture(scope="module")
def trial(node: Sandbox, gateway: Callable[[], Gateway | EnvoyGateway]) -> Iterator[Trial]:
    models = Models(node, "limits")
    try:
        url = models.forward(gateway().target)
        models.apply({"limits": routed("limits", "v1")})
        models.until(
            "limits",
            lambda s: s["phase"] == "Ready" and condition(s)[0] == "True",
            "v1 behind the Gateway",
            seconds=120,
        )
        models.apply({"limits": routed("limits", "v2", rollout={"steps": MANUAL})})
        yield Trial(models, url)
    finally:
        models.end()


@pytest.fixture
def report(request: pytest.FixtureRequest, figures: Any) -> Callable[[str, object], None]:
    """Notes what this gateway did."""
    name = request.config.getoption("--gateway")
    return lambda what, result: figures(
        "limits of a gateway", gateway=name, what=what, found=result
    )


def live(trial: Trial, headers: dict[str, str]) -> None:
    trial.models.eventually(lambda: answers(trial.url, headers), True)


def codes(trial: Trial, headers: dict[str, str], count: int = COUNT) -> Counter[int]:
    """Answers by their status, over one kept connection."""
    statuses: Counter[int] = Counter()
    connection = http.client.HTTPConnection(trial.url.removeprefix("http://"), timeout=5)
    for _ in range(count):
        connection.request("GET", "/", headers=headers)
        answer = connection.getresponse()
        answer.read()
        statuses[answer.status] += 1
    connection.close()
    return statuses


def test_part_of_the_requests_is_copied(trial: Trial, report: Any) -> None:
    mirror = {"backendRef": {"name": f"limits-{trial.candidate}", "port": 80}, "percent": 20}
    rule = {
        "backendRefs": [trial.backend(trial.stable, 1)],
        "filters": [{"type": "RequestMirror", "requestMirror": mirror}],
    }
    headers = trial.route("part", rule)
    live(trial, headers)
    requests = burst(trial.url, COUNT, headers={**headers, "X-Story": "part"})
    assert (requests.total, requests.faults) == (COUNT, [])
    copies = 0

    def settled() -> bool:
        nonlocal copies
        before, copies = copies, marked(trial.models, "limits", trial.candidate).get("part", 0)
        return copies > 0 and before == copies

    trial.models.eventually(settled, True)
    report("mirror.percent 20", f"{copies} of {COUNT} copied")


def test_weight_of_a_service_without_endpoints(trial: Trial, report: Any) -> None:
    empty = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "limits-empty"},
        "spec": {"selector": {"nobody": "is"}, "ports": [{"port": 80, "targetPort": 8080}]},
    }
    trial.models.kubectl("apply", "-f", "-", stdin=json.dumps(empty))
    headers = trial.route(
        "empty", {"backendRefs": [trial.backend(trial.stable, 75), trial.backend("empty", 25)]}
    )
    live(trial, headers)
    report("25 % for a Service without endpoints", dict(codes(trial, headers)))


def test_weight_of_a_service_that_is_not_there(trial: Trial, report: Any) -> None:
    headers = trial.route(
        "missing", {"backendRefs": [trial.backend(trial.stable, 75), trial.backend("none", 25)]}
    )
    live(trial, headers)
    resolved = trial.conditions("missing")["ResolvedRefs"]
    report("25 % for a missing Service", f"{dict(codes(trial, headers))}, ResolvedRefs {resolved}")


def test_weights_of_nothing(trial: Trial, report: Any) -> None:
    both = [trial.backend(name, 0) for name in (trial.stable, trial.candidate)]
    headers = trial.route("zero", {"backendRefs": both})
    trial.models.eventually(lambda: 404 in codes(trial, headers, 1), False)
    report("weights 0 and 0", dict(codes(trial, headers, 100)))


def test_headers_of_answers_by_backend(trial: Trial, report: Any) -> None:
    def named(revision: str) -> Rule:
        change = {"set": [{"name": "x-canarium-version", "value": revision}]}
        return {"filters": [{"type": "ResponseHeaderModifier", "responseHeaderModifier": change}]}

    both = [trial.backend(r, 50, **named(v)) for r, v in
            ((trial.stable, "v1"), (trial.candidate, "v2"))]  # fmt: skip
    headers = trial.route("headers", {"backendRefs": both})
    live(trial, headers)
    requests = burst(trial.url, COUNT, headers=headers)
    right = (
        "exact" if requests.header_versions == requests.versions else f"{requests.header_versions}"
    )
    report("headers of answers", f"{right} in {requests.total}, {len(requests.faults)} failed")
    assert requests.header_versions == requests.versions


@pytest.mark.parametrize("headers", [True, False], ids=["with headers", "without"])
def test_weight_that_drops_to_zero(trial: Trial, report: Any, headers: bool) -> None:
    """Whether requests fail at the moment at which a backend's share ends."""

    def backends(share: int) -> list[Rule]:
        change = {"set": [{"name": "x-canarium-version", "value": "any"}]}
        filters = {"filters": [
            {"type": "ResponseHeaderModifier", "responseHeaderModifier": change}]}  # fmt: skip
        more = filters if headers else {}
        weights = ((trial.stable, 100 - share), (trial.candidate, share))
        return [trial.backend(name, weight, **more) for name, weight in weights]

    name = f"ends-{headers}".lower()
    led = trial.route(name, {"backendRefs": backends(50)})
    live(trial, led)
    caller = Caller(trial.url, rate=250, headers=led)
    for share in (100, 50, 0, 50) * 5:
        patch = [{"op": "replace", "path": "/spec/rules/0/backendRefs", "value": backends(share)}]
        trial.models.kubectl("patch", "httproute", name, "--type=json", "-p", json.dumps(patch))
        time.sleep(0.4)
    caller.stop()
    faults = dict(Counter(reply.fault for reply in caller.failed()))
    what = f"ten ends of a share, {'with' if headers else 'without'} headers of answers"
    report(what, f"{faults or 'none'} failed of {len(caller.replies)}")


def test_session_persistence(trial: Trial, report: Any) -> None:
    """A field of the experimental channel: whether a caller with the cookie stays where it was."""
    both = [trial.backend(name, 50) for name in (trial.stable, trial.candidate)]
    keeps = {"sessionName": "canarium", "type": "Cookie"}
    headers = trial.route("session", {"backendRefs": both, "sessionPersistence": keeps})
    route = json.loads(trial.models.kubectl("get", "httproute", "session", "-o", "json"))
    if "sessionPersistence" not in route["spec"]["rules"][0]:
        report("sessionPersistence", "not a field of the installed kinds: dropped")
        return
    live(trial, headers)
    connection = http.client.HTTPConnection(trial.url.removeprefix("http://"), timeout=5)
    connection.request("GET", "/", headers=headers)
    first = connection.getresponse()
    version, cookie = first.read().decode(), first.headers.get("Set-Cookie")
    connection.close()
    if cookie is None:
        report("sessionPersistence", "no cookie")
        return
    requests = burst(trial.url, 100, headers={**headers, "Cookie": cookie.partition(";")[0]})
    report("sessionPersistence", f"first {version}, then {dict(requests.versions)}")


def test_calls_by_grpc_are_copied(trial: Trial, report: Any) -> None:
    models = trial.models
    models.apply({"spoken": spoken("v1", mirror=True)})
    models.until(
        "spoken", lambda s: s["phase"] == "Ready" and condition(s)[0] == "True", "v1", seconds=60
    )
    shadow = [{"weight": 0, "pause": "Manual"}]
    models.apply({"spoken": spoken("v2", mirror=True, steps=shadow)})
    held = models.until(
        "spoken", lambda s: s.get("waitingFor", {}).get("reason") == "Manual", "weight 0"
    )
    candidate = held.status["candidate"]["revision"]
    speaker = Speaker(HOST, int(trial.url.rpartition(":")[2]))
    try:
        header = {"x_canarium_revision": "candidate"}
        models.eventually(lambda: set(speaker.burst(1, **header).versions), {"v2"})
        calls = speaker.burst(100, x_story="copied")
    finally:
        speaker.stop()
    assert (calls.versions, calls.faults) == ({"v1": 100}, [])
    # A mirrored request takes milliseconds. That none arrives can only be waited for this long.
    time.sleep(1)
    copies = marked(models, "spoken", candidate).get("copied", 0)
    report("mirror of a GRPCRoute", f"{copies} of 100 copied")
