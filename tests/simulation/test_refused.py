"""Writes that an admission policy or a missing right refuses: told, and tried again (R8, R21)."""

from __future__ import annotations

import pytest

from canarium.kube import resources
from canarium.render import labels
from simulation.story import Story

rule = pytest.mark.rule


def announced(story: Story) -> list[str]:
    """What Events told, but for commands."""
    found = story.world.server.all(resources.EVENTS)
    return [e["message"] for e in found if not e["reason"].startswith("Command")]


@rule("R8", "R21")
def test_refused_write_that_takes_traffic_off_is_tried_again_by_itself(story: Story) -> None:
    story.apply(12.0)
    story.apply(6.0, version="v2")
    candidate = story.part("candidate")
    story.operator.faults.forbidden.add("patch services")
    story.world.command("abort", f"{candidate}/1")
    story.operator.advance(90.0)
    assert "Service/m: a policy forbids it" in story.world.status()["message"]
    assert story.world.selected_ready()[candidate] > 0, "nothing could be written"
    story.operator.faults.forbidden.clear()
    story.operator.advance(32.0)
    assert candidate not in story.world.selected_ready()
    assert story.world.status()["phase"] == "RolledBack"


@rule("R21", "R23")
def test_refused_repair_is_tried_again_by_itself(story: Story) -> None:
    story.apply(30.0)
    assert story.world.status()["phase"] == "Ready"
    story.operator.faults.forbidden.add("patch services")
    patch = {"spec": {"selector": {labels.COLOR: "none"}}}
    key = (story.world.model()["metadata"]["namespace"], "m")
    story.world.server.merge(resources.SERVICES, key, patch, "kubectl")
    story.operator.advance(5.0)
    assert not story.world.selected_ready()
    story.operator.faults.forbidden.clear()
    story.operator.advance(31.0)
    assert story.world.selected_ready()


@rule("R7", "R21")
def test_candidate_whose_pods_may_not_be_asked_for_is_not_blamed(story: Story) -> None:
    story.apply(12.0)
    story.operator.faults.forbidden.add("patch deployments/scale")
    story.apply(900.0, version="v2")
    status = story.world.status()
    assert "the API server rejects scaling to 3 replicas: Deployment/m-" in status["message"]
    assert status["waitingFor"]["reason"] == "WriteRefused"
    assert status["phase"] == "Progressing", "the progress deadline counts waiting for pods only"
    story.operator.faults.forbidden.clear()
    story.operator.advance(120.0)
    assert story.world.status()["version"] == "v2"


@rule("R2", "R21")
@pytest.mark.parametrize(
    ("forbidden", "what"),
    [
        ("delete deployments", "Deployment/m-"),
        ("patch controllerrevisions", "ControllerRevision/m-"),
    ],
)
def test_refused_deletion_or_note_is_told(story: Story, forbidden: str, what: str) -> None:
    story.apply(12.0)
    story.apply(6.0, version="v2")
    story.operator.faults.forbidden.add(forbidden)
    story.world.command("abort", f"{story.part('candidate')}/1")
    story.operator.advance(90.0)
    assert f"The API server rejects a write: {what}" in story.world.status()["message"]
    story.operator.faults.forbidden.clear()
    story.operator.advance(60.0)
    assert story.world.status()["phase"] == "RolledBack"
    assert "rejects" not in story.world.status()["message"]


@rule("R14", "R18", "R21")
def test_refused_promotion_is_not_told_as_done(story: Story) -> None:
    story.apply(12.0)
    story.apply(12.0, version="v2")
    candidate, before = story.part("candidate"), announced(story)
    story.operator.faults.forbidden.add("patch services")
    story.operator.advance(120.0)
    status = story.world.status()
    assert (status["phase"], status["version"]) == ("Progressing", "v1")
    assert status["message"].endswith("Refused: Service/m: a policy forbids it")
    assert status["waitingFor"]["reason"] == "WriteRefused"
    assert [o["version"] for o in status["history"]] == ["v1"]
    refused = [*before, "Service/m: Forbidden: a policy forbids it"]
    assert announced(story) == refused, "one Event, however often it is tried"
    story.operator.faults.forbidden.clear()
    story.operator.advance(2.0)
    assert "refusals" not in story.world.status()
    story.operator.advance(30.0)
    assert story.world.status()["version"] == "v2"
    assert announced(story) == [*refused, f"Revision {candidate} was promoted"]


@rule("R15", "R16", "R21")
def test_refused_undo_is_not_told_as_done_and_not_forgotten(story: Story) -> None:
    story.apply(12.0)
    story.apply(35.0, version="v2", bake="1h")
    assert story.world.status()["phase"] == "Baking"
    revision, before = story.part("stable"), announced(story)
    story.operator.faults.forbidden.add("patch services")
    story.world.command("undo", f"{revision}/1")
    story.operator.advance(120.0)
    status = story.world.status()
    assert (status["phase"], status["version"]) == ("Baking", "v2")
    assert "Service/m: a policy forbids it" in status["message"]
    assert status["waitingFor"]["reason"] == "UndoBlocked"
    assert "failure" not in status
    assert announced(story) == [*before, "Service/m: Forbidden: a policy forbids it"]
    story.operator.faults.forbidden.clear()
    story.operator.advance(2.0)
    assert story.world.status()["version"] == "v1"
    story.operator.advance(10.0)
    assert story.world.status()["phase"] == "RolledBack"
    assert len(announced(story)) == len(before) + 2


@rule("R3", "R7", "R21")
def test_first_version_that_may_get_no_traffic_is_not_late(story: Story) -> None:
    story.operator.faults.forbidden.add("patch services")
    story.apply(300.0)
    status = story.world.status()
    assert status["phase"] == "Starting"
    assert status["waitingFor"]["reason"] == "WriteRefused"
    assert "Refused: Service/m: a policy forbids it" in status["message"]
    story.operator.faults.forbidden.clear()
    story.operator.advance(3.0)
    assert story.world.status()["phase"] == "Ready"


@rule("R21", "R23")
def test_two_refused_writes_are_not_tried_in_turn_without_end(story: Story) -> None:
    """The route was deleted and may not be made again, and a command may not be noted."""
    story.apply(30.0, router="Gateway")
    stable = story.part("stable")
    story.operator.faults.forbidden |= {"patch httproutes", "patch controllerrevisions"}
    namespace = story.world.model()["metadata"]["namespace"]
    story.world.server.delete(resources.HTTP_ROUTES, (namespace, "m"), actor="kubectl")
    story.operator.advance(1.0)
    story.world.command("promote", f"{stable}/1")
    before = story.operator.decisions
    story.operator.advance(120.0)
    assert story.operator.decisions - before < 40
    assert "rejects a write: HTTPRoute/m: a policy forbids it" in story.world.status()["message"]
    story.operator.faults.forbidden.clear()
    story.operator.advance(40.0)
    assert story.world.server.all(resources.HTTP_ROUTES)
    assert story.world.status()["phase"] == "Ready"
    assert "rejects" not in story.world.status()["message"]
