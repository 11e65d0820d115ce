"""Writes that an admission policy or a missing right rejects: reported, and retried (R8, R21)."""

from __future__ import annotations

import pytest

from canarium.kube import resources
from canarium.render import labels
from simulation.fields import Object
from simulation.scenario import Scenario
from simulation.server import PERSON

rule = pytest.mark.rule


def announced(scenario: Scenario) -> list[str]:
    """Texts of Events, except those of commands."""
    found = scenario.world.server.all(resources.EVENTS)
    return [e["message"] for e in found if not e["reason"].startswith("Command")]


@rule("R8", "R21")
def test_rejected_write_that_removes_traffic_is_retried(scenario: Scenario) -> None:
    scenario.apply(12.0)
    scenario.apply(6.0, version="v2")
    candidate = scenario.revision("candidate")
    scenario.operator.faults.forbidden.add("patch services")
    scenario.world.command("abort", f"{candidate}/1")
    scenario.operator.advance(90.0)
    assert "Service/m: a policy forbids it" in scenario.world.status()["message"]
    assert scenario.world.selected_ready()[candidate] > 0, "nothing could be written"
    scenario.operator.faults.forbidden.clear()
    scenario.operator.advance(32.0)
    assert candidate not in scenario.world.selected_ready()
    assert scenario.world.status()["phase"] == "RolledBack"


@rule("R21", "R23")
def test_rejected_repair_is_retried(scenario: Scenario) -> None:
    scenario.apply(30.0)
    assert scenario.world.status()["phase"] == "Ready"
    scenario.operator.faults.forbidden.add("patch services")
    patch = {"spec": {"selector": {labels.COLOR: "none"}}}
    key = (scenario.world.model()["metadata"]["namespace"], "m")
    scenario.world.server.merge(resources.SERVICES, key, patch, "kubectl")
    scenario.operator.advance(5.0)
    assert not scenario.world.selected_ready()
    scenario.operator.faults.forbidden.clear()
    scenario.operator.advance(31.0)
    assert scenario.world.selected_ready()


@rule("R7", "R21")
def test_candidate_does_not_fail_while_its_pods_are_rejected(scenario: Scenario) -> None:
    scenario.apply(12.0)
    scenario.operator.faults.forbidden.add("patch deployments/scale")
    scenario.apply(900.0, version="v2")
    status = scenario.world.status()
    assert "the API server rejects scaling to 3 replicas: Deployment/m-" in status["message"]
    assert status["waitingFor"]["reason"] == "WriteRejected"
    assert status["phase"] == "Progressing", "the progress deadline counts waiting for pods only"
    scenario.operator.faults.forbidden.clear()
    scenario.operator.advance(120.0)
    assert scenario.world.status()["version"] == "v2"


@rule("R2", "R21")
@pytest.mark.parametrize(
    ("forbidden", "what"),
    [
        ("delete deployments", "Deployment/m-"),
        ("patch controllerrevisions", "ControllerRevision/m-"),
    ],
)
def test_rejected_deletion_or_annotation_is_reported(
    scenario: Scenario, forbidden: str, what: str
) -> None:
    scenario.apply(12.0)
    scenario.apply(6.0, version="v2")
    scenario.operator.faults.forbidden.add(forbidden)
    scenario.world.command("abort", f"{scenario.revision('candidate')}/1")
    scenario.operator.advance(90.0)
    assert f"The API server rejects a write: {what}" in scenario.world.status()["message"]
    scenario.operator.faults.forbidden.clear()
    scenario.operator.advance(60.0)
    assert scenario.world.status()["phase"] == "RolledBack"
    assert "rejects" not in scenario.world.status()["message"]


@rule("R14", "R18", "R21")
def test_rejected_promotion_is_not_reported_as_done(scenario: Scenario) -> None:
    scenario.apply(12.0)
    scenario.apply(12.0, version="v2")
    candidate, before = scenario.revision("candidate"), announced(scenario)
    scenario.operator.faults.forbidden.add("patch services")
    scenario.operator.advance(120.0)
    status = scenario.world.status()
    assert (status["phase"], status["version"]) == ("Progressing", "v1")
    assert status["message"].endswith("Rejected: Service/m: a policy forbids it")
    assert status["waitingFor"]["reason"] == "WriteRejected"
    assert [o["version"] for o in status["history"]] == ["v1"]
    rejected = [*before, "Service/m: Forbidden: a policy forbids it"]
    assert announced(scenario) == rejected, "one Event, however often it is tried"
    scenario.operator.faults.forbidden.clear()
    scenario.operator.advance(2.0)
    assert "rejectedWrites" not in scenario.world.status()
    scenario.operator.advance(30.0)
    assert scenario.world.status()["version"] == "v2"
    weight, promoted = announced(scenario)[len(rejected) :]
    assert "has weight 50 (step 2/3)" in weight
    assert promoted == f"Version v2 ({candidate}) was promoted"


@rule("R15", "R16", "R21")
def test_rejected_undo_is_not_reported_as_done_and_not_forgotten(scenario: Scenario) -> None:
    scenario.apply(12.0)
    scenario.apply(35.0, version="v2", bake="1h")
    assert scenario.world.status()["phase"] == "Baking"
    revision, before = scenario.revision("stable"), announced(scenario)
    scenario.operator.faults.forbidden.add("patch services")
    scenario.world.command("undo", f"{revision}/1")
    scenario.operator.advance(120.0)
    status = scenario.world.status()
    assert (status["phase"], status["version"]) == ("Baking", "v2")
    assert "Service/m: a policy forbids it" in status["message"]
    assert status["waitingFor"]["reason"] == "UndoBlocked"
    assert "failure" not in status
    rejected, blocked = announced(scenario)[len(before) :]
    assert rejected == "Service/m: Forbidden: a policy forbids it"
    assert "keeps its traffic because the API server rejects the undo" in blocked
    scenario.operator.faults.forbidden.clear()
    scenario.operator.advance(2.0)
    assert scenario.world.status()["version"] == "v1"
    scenario.operator.advance(10.0)
    assert scenario.world.status()["phase"] == "RolledBack"
    assert len(announced(scenario)) == len(before) + 3


@rule("R3", "R7", "R21")
def test_first_version_whose_traffic_is_rejected_is_not_late(scenario: Scenario) -> None:
    scenario.operator.faults.forbidden.add("patch services")
    scenario.apply(300.0)
    status = scenario.world.status()
    assert status["phase"] == "Starting"
    assert status["waitingFor"]["reason"] == "WriteRejected"
    assert "Rejected: Service/m: a policy forbids it" in status["message"]
    scenario.operator.faults.forbidden.clear()
    scenario.operator.advance(3.0)
    assert scenario.world.status()["phase"] == "Ready"


@rule("R21", "R23")
def test_two_rejected_writes_do_not_alternate_endlessly(scenario: Scenario) -> None:
    """The route was deleted and may not be made again, and a command may not be noted."""
    scenario.apply(30.0, router="Gateway")
    stable = scenario.revision("stable")
    scenario.operator.faults.forbidden |= {"patch httproutes", "patch controllerrevisions"}
    namespace = scenario.world.model()["metadata"]["namespace"]
    scenario.world.server.delete(resources.HTTP_ROUTES, (namespace, "m"), actor="kubectl")
    scenario.operator.advance(1.0)
    scenario.world.command("promote", f"{stable}/1")
    before = scenario.operator.decisions
    scenario.operator.advance(120.0)
    assert scenario.operator.decisions - before < 40
    assert "rejects a write: HTTPRoute/m: a policy forbids it" in scenario.world.status()["message"]
    scenario.operator.faults.forbidden.clear()
    scenario.operator.advance(40.0)
    assert scenario.world.server.all(resources.HTTP_ROUTES)
    assert scenario.world.status()["phase"] == "Ready"
    assert "rejects" not in scenario.world.status()["message"]


@rule("R0", "R22")
def test_recreate_keeps_stable_while_the_deployment_of_the_candidate_is_rejected(
    scenario: Scenario,
) -> None:
    scenario.apply(12.0, strategy="Recreate")
    stable = scenario.revision("stable")
    scenario.operator.faults.forbidden.add("create deployments")
    scenario.apply(0.0, strategy="Recreate", version="v2")
    for _ in range(200):
        scenario.operator.advance(1.0)
        assert scenario.world.selected_ready() == {stable: 3}
    assert scenario.world.status()["phase"] == "Invalid"
    scenario.operator.faults.forbidden.clear()
    scenario.operator.advance(90.0)
    assert scenario.world.status()["version"] == "v2"


@rule("R13", "R22")
def test_recreate_restores_stable_when_scaling_is_rejected_until_the_deadline(
    scenario: Scenario,
) -> None:
    scenario.apply(12.0, strategy="Recreate")
    stable = scenario.revision("stable")
    scenario.apply(0.0, strategy="Recreate", version="v2")
    while all(d["spec"]["replicas"] for d in _deployments(scenario, stable)):
        scenario.operator.advance(0.1)
    scenario.operator.faults.forbidden.add("patch deployments/scale")
    scenario.operator.advance(30.0)
    assert "a policy forbids it" in scenario.world.status()["message"]
    scenario.operator.advance(40.0)
    failure = scenario.world.status()["failure"]
    assert failure["reason"] == "ProgressDeadlineExceeded"
    assert "a policy forbids it" in failure["message"]
    scenario.operator.faults.forbidden.clear()
    scenario.operator.advance(40.0)
    assert scenario.world.selected_ready() == {stable: 3}


@rule("R0", "R21")
@pytest.mark.parametrize("policy", [set(), {"patch services", "create services"}])
def test_rejected_record_of_stable_does_not_delay_the_repair_of_its_service(
    scenario: Scenario, policy: set[str]
) -> None:
    """With two rejections, neither may cause retries of the other without end."""
    scenario.apply(30.0)
    stable = scenario.revision("stable")
    key = (scenario.world.model()["metadata"]["namespace"], "m")
    scenario.operator.faults.forbidden |= {"create controllerrevisions", *policy}
    scenario.world.server.delete(resources.RECORDS, (key[0], f"m-{stable}"), actor=PERSON)
    scenario.world.server.delete(resources.SERVICES, key, actor=PERSON)
    decisions = scenario.operator.decisions
    scenario.operator.advance(60.0)
    assert scenario.operator.decisions - decisions < 120
    if policy:
        assert "Service/m: a policy forbids it" in scenario.world.status()["message"]
        scenario.operator.faults.forbidden -= policy
        scenario.operator.advance(3.0)
    assert scenario.world.selected_ready() == {stable: 3}
    assert f"ControllerRevision/m-{stable}" in scenario.world.status()["message"]


@rule("R23")
def test_route_names_the_version_again_when_its_record_is_stored_again(scenario: Scenario) -> None:
    scenario.apply(30.0, router="Gateway")
    namespace = scenario.world.model()["metadata"]["namespace"]
    record = (namespace, f"m-{scenario.revision('stable')}")
    scenario.operator.faults.forbidden.add("create controllerrevisions")
    scenario.world.server.delete(resources.RECORDS, record, actor=PERSON)
    scenario.world.server.delete(resources.HTTP_ROUTES, (namespace, "m"), actor=PERSON)
    scenario.operator.advance(10.0)
    assert "x-canarium-version" not in str(_route(scenario)["spec"])
    scenario.operator.faults.forbidden.clear()
    scenario.operator.advance(40.0)
    assert "x-canarium-version" in str(_route(scenario)["spec"])


def _route(scenario: Scenario) -> Object:
    return next(iter(scenario.world.server.all(resources.HTTP_ROUTES)))


def _deployments(scenario: Scenario, revision: str) -> list[Object]:
    every = scenario.world.server.all(resources.DEPLOYMENTS)
    return [one for one in every if one["metadata"]["labels"][labels.REVISION] == revision]
