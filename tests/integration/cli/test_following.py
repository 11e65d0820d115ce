"""`get`, `list`, `status` and `why` beside rollouts on a real API server."""

from __future__ import annotations

import asyncio
import json

import pytest

from integration.cli.program import Program
from integration.conftest import Cluster

_BAD = {"metadata": {"annotations": {"sandbox/behaviour": "exits"}}}
_MANUAL = {"steps": [{"weight": 25, "pause": "Manual"}, {"weight": 50}], "bakeTime": "1s"}


async def test_get_shows_a_model_in_every_format(cluster: Cluster, program: Program) -> None:
    cluster.apply("1")
    await cluster.phase("Ready", "1")
    text = await program.run("get", "fraud")
    assert text.code == 0, text.err
    assert f"{cluster.namespace}/fraud" in text.out
    assert text.out.count(" Pod ") == 3
    found = (await program.run("get", "fraud", "-o", "json")).json
    assert (found["phase"], found["version"], found["readyReplicas"]) == ("Ready", "1", 3)
    (stable,) = found["revisions"]
    assert stable["role"] == "Stable"
    assert len(stable["deployment"]["pods"]) == 3
    assert "phase: Ready" in (await program.run("get", "fraud", "-o", "yaml")).out
    name = await program.run("get", "fraud", "-o", "name")
    assert name.out == "modeldeployment.canarium.dev/fraud\n"


async def test_list_puts_what_needs_attention_first(cluster: Cluster, program: Program) -> None:
    cluster.apply("1", name="calm")
    cluster.apply("1")
    await cluster.phase("Ready", "1")
    await cluster.until(lambda s: s.get("phase") == "Ready", name="calm")
    cluster.apply("2", podTemplate=_BAD)
    await cluster.phase("RolledBack")
    lines = (await program.run("list")).out.splitlines()
    assert [line.split()[0] for line in lines] == ["NAME", "fraud", "calm"]
    assert "RolledBack (ServerExited)" in lines[1]
    needed = (await program.run("list", "--attention", "-o", "json")).json
    assert [row["name"] for row in needed] == ["fraud"]
    assert [
        r["name"] for r in (await program.run("list", "--phase", "ready", "-o", "json")).json
    ] == ["calm"]
    everywhere = (await program.run("list", "-A", "-o", "json")).json
    assert {"fraud", "calm"} <= {
        r["name"] for r in everywhere if r["namespace"] == cluster.namespace
    }


async def test_status_ends_with_the_rollout_and_its_exit_code(
    cluster: Cluster, program: Program
) -> None:
    cluster.apply("1")
    first = await program.run("status", "fraud", "--timeout", "60s")
    assert first.code == 0, first.out
    cluster.apply("2", podTemplate=_BAD)
    failed = await program.run("status", "fraud", "--until", "serving", "--timeout", "60s")
    assert failed.code == 1
    assert "RolledBack" in failed.out.splitlines()[-1]
    both = await program.run("status", "fraud", "absent", "--timeout", "60s")
    assert both.code == 4
    assert "Error: absent: " in both.err
    assert "absent" not in both.out


async def test_status_reports_to_a_pipeline_that_a_person_has_to_decide(
    cluster: Cluster, program: Program
) -> None:
    cluster.apply("1")
    await cluster.phase("Ready", "1")
    cluster.apply("2", rollout=_MANUAL)
    gate = await program.run("status", "fraud", "--until", "gate", "--timeout", "60s")
    assert gate.code == 6, gate.out
    late = await program.run("status", "fraud", "--until", "serving", "--timeout", "1s")
    assert late.code == 3
    assert "timeout" in late.out.splitlines()[-1]


async def test_why_explains_a_failure_and_what_to_do(cluster: Cluster, program: Program) -> None:
    cluster.apply("1")
    await cluster.phase("Ready", "1")
    cluster.apply("2", podTemplate=_BAD)
    await cluster.phase("RolledBack")
    explained = await program.run("why", "fraud")
    assert explained.code == 0, explained.err
    assert "ServerExited" in explained.out
    assert "The server's process ended, with any exit code." in explained.out
    assert f"kubectl modeldeploy retry fraud -n {cluster.namespace}" in explained.out
    assert f"kubectl modeldeploy logs fraud -n {cluster.namespace} --failed" in explained.out


async def test_get_watch_prints_each_change_once_without_a_terminal(
    cluster: Cluster, program: Program
) -> None:
    cluster.apply("1")
    await cluster.phase("Ready", "1")
    cluster.apply("2", rollout={"steps": [{"weight": 50, "pause": "5s"}], "bakeTime": "1s"})
    process = await program.start("get", "fraud", "--watch", "--until", "baked")
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, err.decode()
    phases = [x.split()[1] for x in out.decode().splitlines() if x.startswith("Phase ")]
    changes = [now for before, now in zip([None, *phases], phases, strict=False) if now != before]
    assert changes[-1] == "Ready"
    assert "Progressing" in changes


async def test_get_watch_shows_autoscalers_and_old_revisions_as_they_change(
    cluster: Cluster, program: Program
) -> None:
    cluster.apply("1", scaling={"minReplicas": 2, "maxReplicas": 4})
    await cluster.phase("Ready", "1")
    process = await program.start("get", "fraud", "--watch", "--limit", "5")
    try:
        await _line_with(process.stdout, "HPA 2–4")
        cluster.apply("1", scaling={"minReplicas": 2, "maxReplicas": 6})
        await _line_with(process.stdout, "HPA 2–6")
        cluster.apply("2", scaling={"minReplicas": 2, "maxReplicas": 6})
        # The record of version 1 exists only after the first read.
        await _line_with(process.stdout, "Previous")
    finally:
        process.kill()
        _, err = await process.communicate()
    assert err == b""


async def _line_with(stream: asyncio.StreamReader | None, words: str) -> str:
    assert stream

    async def found() -> str:
        while line := (await stream.readline()).decode():
            if words in line:
                return line
        raise AssertionError(f"the output ended without {words!r}")

    return await asyncio.wait_for(found(), 30)


@pytest.mark.parametrize("words", [["get"], ["why"], ["status"]])
async def test_unknown_model_is_not_found(program: Program, words: list[str]) -> None:
    done = await program.run(*words, "absent")
    assert done.code == 4
    assert "absent" in done.out + done.err
    assert "Traceback" not in done.err


async def test_forbidden_and_unreachable_and_unknown_context(
    cluster: Cluster, program: Program
) -> None:
    forbidden = await program.run("get", "fraud", "--as", "stranger")
    assert forbidden.code == 5
    assert "cannot get resource" in forbidden.err
    wrong = await program.run("get", "fraud", "--context", "elsewhere")
    assert wrong.code == 5
    assert "elsewhere" in wrong.err
    body = json.loads(cluster.plane.kubeconfig.read_text())
    body["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:9"
    away = cluster.plane.kubeconfig.with_name("away.kubeconfig")
    away.write_text(json.dumps(body))
    refused = await Program(away, cluster.namespace).run("get", "fraud")
    assert refused.code == 5
    assert refused.err.startswith("Error: ")
    assert len(refused.err.splitlines()) == 1
