"""Commands against a real API server and the operator: the operator's answer is the exit code."""

from __future__ import annotations

from typing import Any

from canarium.kube import resources
from integration.cli.program import Program
from integration.conftest import Cluster

_MANUAL = {"steps": [{"weight": 25, "pause": "Manual"}, {"weight": 50, "pause": "Manual"}]}


async def _at_first_pause(cluster: Cluster, **rollout: Any) -> str:
    """A second version that waits at its first step; its revision."""
    cluster.apply("1")
    await cluster.phase("Ready", "1")
    cluster.apply("2", rollout={**_MANUAL, "bakeTime": "30s", **rollout})
    status = await cluster.until(lambda s: (s.get("waitingFor") or {}).get("reason") == "Manual")
    revision: str = status["candidate"]["revision"]
    return revision


async def test_promote_ends_a_pause_and_keeps_other_annotations(
    cluster: Cluster, program: Program
) -> None:
    revision = await _at_first_pause(cluster)
    cluster.plane.kubectl(
        "-n", cluster.namespace, "annotate", "modeldeployment", "fraud", "team=risk"
    )
    dry = await program.run("promote", "fraud", "--dry-run")
    assert dry.code == 0, dry.err
    annotations = (await cluster.model())["metadata"]["annotations"]
    assert "canarium.dev/promote" not in annotations
    done = await program.run("promote", "fraud")
    assert (done.code, done.err) == (0, "")
    assert done.out == f"fraud: promote {revision}: the current pause ends\n"
    await cluster.until(lambda s: (s.get("weight") or 0) == 50)
    model = await cluster.model()
    assert model["metadata"]["annotations"].items() >= {"team": "risk", **annotations}.items()
    managers = {x["manager"] for x in model["metadata"]["managedFields"]}
    assert "kubectl-modeldeploy" in managers


async def test_pause_resume_promote_fully_and_undo(cluster: Cluster, program: Program) -> None:
    await _at_first_pause(cluster)
    assert (await program.run("pause", "fraud")).code == 0
    again = await program.run("pause", "fraud")
    assert again.code == 7
    assert "already paused by" in again.err
    blocked = await program.run("promote", "fraud")
    assert blocked.code == 7
    assert "Use resume first" in blocked.err
    assert (await program.run("resume", "fraud")).code == 0
    assert (await program.run("promote", "--full", "fraud")).code == 0
    await cluster.phase("Baking", "2")
    undone = await program.run("undo", "fraud")
    assert (undone.code, undone.err) == (0, "")
    await cluster.phase("RolledBack", "1")


async def test_abort_and_retry(cluster: Cluster, program: Program) -> None:
    revision = await _at_first_pause(cluster)
    wrong = await program.run("abort", "fraud", "--revision", "aaaa1111")
    assert wrong.code == 7
    assert f"the current revision is {revision}" in wrong.err
    assert (await program.run("abort", "fraud")).code == 0
    await cluster.phase("RolledBack", "1")
    tried = await program.run("retry", "fraud")
    assert (tried.code, tried.err) == (0, "")
    await cluster.until(lambda s: bool(s.get("candidate")))


async def test_several_models_at_once_end_with_the_worst_code(
    cluster: Cluster, program: Program
) -> None:
    cluster.apply("1", name="calm")
    await cluster.until(lambda s: s.get("phase") == "Ready", name="calm")
    await _at_first_pause(cluster)
    for name in ("fraud", "calm"):
        cluster.plane.kubectl(
            "-n", cluster.namespace, "label", "modeldeployment", name, "team=risk"
        )
    done = await program.run("pause", "-l", "team=risk")
    assert done.code == 7
    assert done.out.startswith("fraud: pause ")
    assert done.err.startswith("Error: calm: pause ")
    unknown = await program.run("resume", "fraud", "absent")
    assert unknown.code == 4
    assert (await cluster.model())["status"]["pause"]
    await cluster.client.delete(resources.MODELS, cluster.namespace, "calm")


async def test_command_without_the_right_changes_nothing(
    cluster: Cluster, program: Program
) -> None:
    await _at_first_pause(cluster)
    reader = f"viewer-{cluster.namespace}"
    cluster.plane.kubectl("-n", cluster.namespace, "create", "role", "reader", "--verb=get,list",
                          "--resource=modeldeployments.canarium.dev")  # fmt: skip
    cluster.plane.kubectl("-n", cluster.namespace, "create", "rolebinding", "reader",
                          "--role=reader", f"--user={reader}")  # fmt: skip
    for words in (["promote", "fraud"], ["promote", "fraud", "--dry-run"]):
        done = await program.run(*words, "--as", reader)
        assert done.code == 5
        assert "cannot patch resource" in done.err
    annotations = (await cluster.model())["metadata"].get("annotations") or {}
    assert "canarium.dev/promote" not in annotations


async def test_no_operator_is_a_timeout_and_the_command_acts_later(
    cluster: Cluster, program: Program
) -> None:
    await _at_first_pause(cluster)
    cluster.operator.stop()
    try:
        done = await program.run("promote", "fraud", "--timeout", "1s")
        assert done.code == 3
        assert "Check that the operator runs" in done.err
        sent = await program.run("pause", "fraud", "--no-wait")
        assert sent.code == 0
    finally:
        cluster.operator.start()
    await cluster.until(lambda s: len(s.get("commands") or ()) == 2)
