"""Gates of kind `job` with real pods: how they end, and what becomes of the rollout."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import pytest

from support.docs import documented
from support.model import World

rule = pytest.mark.rule
#: Asks the candidate and the stable version, and ends as its argument requests.
PROGRAM = """
import json, os, sys, time, urllib.request
for name in ("CANARIUM_CANDIDATE_URL", "CANARIUM_STABLE_URL"):
    with urllib.request.urlopen(os.environ[name], timeout=5) as answer:
        assert answer.status == 200, name
code = int(sys.argv[1])
print("evaluated", os.environ["CANARIUM_VERSION"], flush=True)
report = {"message": "evaluated " + os.environ["CANARIUM_VERSION"], "results": {"code": code}}
with open("/dev/termination-log", "w") as log:
    json.dump(report, log)
time.sleep(float(sys.argv[2]))
sys.exit(code)
"""


def evaluation(code: int, seconds: float = 0, **more: Any) -> dict[str, Any]:
    job = {
        "image": "canarium.dev/story:v1",
        "command": ["python3", "-c", PROGRAM, str(code), str(seconds)],
        "runAsUser": 1000,
    }
    return {"name": "evaluation", "before": "Traffic", "job": job, **more}


def rolling(world: World, *gates: dict[str, Any]) -> None:
    world.apply("v1")
    world.phase("Ready", "v1")
    steps = [{"weight": 50, "pause": "1s"}]
    world.apply("v2", rollout={"steps": steps, "bakeTime": "1s", "gates": list(gates)})


def attempt(world: World, number: int) -> str:
    """The name of the Job of an attempt, once its pod runs."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        pods = json.loads(world.kubectl("get", "pods", "-l", "canarium.dev/gate", "-o", "json"))
        for pod in pods["items"]:
            name: str = pod["metadata"]["labels"]["batch.kubernetes.io/job-name"]
            if name.endswith(f"-{number}") and pod["status"]["phase"] == "Running":
                return name
        time.sleep(0.2)
    raise AssertionError(f"no pod of attempt {number}: {world.model()['status']['message']}")


def evict(world: World, job: str) -> None:
    """Evicts the pod of a Job by the API, as a drain does."""
    label = f"batch.kubernetes.io/job-name={job}"
    name = world.kubectl("get", "pod", "-l", label, "-o", "jsonpath={.items[0].metadata.name}")
    eviction = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": name, "namespace": world.namespace},
        "deleteOptions": {"gracePeriodSeconds": 1},
    }
    path = f"/api/v1/namespaces/{world.namespace}/pods/{name}/eviction"
    world.kubectl("create", "--raw", path, "-f", "-", stdin=json.dumps(eviction))


@rule("R27")
def test_job_that_succeeds_lets_the_rollout_continue(world: World) -> None:
    rolling(world, evaluation(0))
    status = world.phase("Ready", "v2", seconds=90)
    (gate,) = status["gates"]
    assert (gate["state"], gate["message"]) == ("Passed", "evaluated v2")
    assert json.loads(gate["results"]) == {"code": 0}


@rule("R8", "R27")
def test_job_that_exits_with_3_rolls_the_version_back(world: World) -> None:
    rolling(world, evaluation(3))
    failure = world.phase("RolledBack", "v1", seconds=90)["failure"]
    assert (failure["reason"], failure["observed"]) == ("GateFailed", "exit code 3")
    assert failure["message"].endswith("ended with exit code 3: evaluated v2")
    # The Job is kept for its log, which the guide reads by this command.
    words = documented("docs/guides/gates.md", "kubectl logs -n risk -l")
    mine = {"risk": world.namespace, "fraud": "story"}
    line = [re.sub(r"\b(risk|fraud)\b", lambda word: mine[word[0]], one) for one in words]
    assert "evaluated v2" in world.kubectl(*line)


@rule("R25", "R27")
def test_job_that_hangs_is_evicted_then_deleted_and_then_times_out(world: World) -> None:
    rolling(world, evaluation(0, 3600, timeout="90s", onError="RollBack"))
    evict(world, attempt(world, 1))
    second = attempt(world, 2)
    world.kubectl("delete", "job", second, "--wait=false")
    attempt(world, 3)
    failure = world.phase("RolledBack", "v1", seconds=150)["failure"]
    assert failure["reason"] == "GateTimedOut"
    assert world.kubectl("get", "jobs", "-o", "name") == ""


@rule("R27", "R29")
def test_quota_is_a_wait_with_its_words(world: World) -> None:
    world.apply("v1")
    world.phase("Ready", "v1")
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "few"},
        "spec": {"hard": {"count/jobs.batch": "0"}},
    }
    world.kubectl("apply", "-f", "-", stdin=json.dumps(quota))
    steps = [{"weight": 50, "pause": "1s"}]
    world.apply("v2", rollout={"steps": steps, "bakeTime": "1s", "gates": [evaluation(0)]})
    status = world.until(lambda s: "exceeded quota" in s["message"], "the words of the quota")
    assert status["phase"] == "Progressing"
    assert status["waitingFor"]["reason"] == "GateUnavailable"
    world.kubectl("delete", "quota", "few")
    world.phase("Ready", "v2", seconds=90)
