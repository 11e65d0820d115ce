"""`logs` and `infer` on real pods: they need a kubelet, and servers that answer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from sandbox import clients
from support.docs import documented
from support.model import World

#: The server itself prints nothing.
_TALK = "import time; print('hello', flush=True); time.sleep(3600)"
_HALF = {"steps": [{"weight": 50, "pause": "Manual"}], "bakeTime": "0s"}


def _talking(tag: str) -> dict[str, Any]:
    image = f"canarium.dev/story:{tag}"
    talks = {"name": "talks", "image": image, "command": ["python3", "-c", _TALK]}
    return {"spec": {"containers": [talks]}}


def program(world: World, *words: str, name: str | None = "story") -> subprocess.Popen[str]:
    """Starts the command line in the namespace of the model, with its name."""
    where = ["--kubeconfig", str(world.sandbox.kubeconfig), "--namespace", world.namespace]
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "canarium_cli.main", words[0]),
            *([name] if name else []),
            *where,
            *words[1:],
        ],
        env={**os.environ, "KUBECTL": str(clients.find("kubectl")), "NO_COLOR": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(world: World, *words: str, name: str | None = "story") -> tuple[int, str, str]:
    """Runs it to its end: exit code, stdout, stderr."""
    process = program(world, *words, name=name)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def test_infer_reaches_the_revision_that_was_chosen_and_logs_follow_new_pods(world: World) -> None:
    world.apply("v1", podTemplate=_talking("v1"))
    stable = world.phase("Ready", "v1")["stable"]["revision"]
    follow = program(world, "logs", "--follow", "--candidate", "-c", "talks")
    try:
        world.apply("v2", rollout=_HALF, podTemplate=_talking("v2"))
        status = world.until(lambda s: s.get("weight") == 50, "weight 50")
        candidate = status["candidate"]["revision"]
        for role, version, revision in (("stable", "v1", stable), ("candidate", "v2", candidate)):
            code, out, err = run(world, "infer", f"--{role}", "--path", "/")
            assert (code, out) == (0, f"{version}\n"), err
            assert f"from revision {revision}, version {version}, {role} (pod/story-" in err
        code, out, err = run(world, "infer", "--path", "/", "--repeat", "40", "-o", "json")
        assert code == 0, err
        # The server names neither revision nor version, so that the program picks the endpoints.
        split = json.loads(out)
        assert split["knownBy"] == ["the pod that was asked"]
        assert {x["revision"] for x in split["split"]} == {stable, candidate}
        assert sum(x["requests"] for x in split["split"]) == 40
        assert follow.stdout
        line = follow.stdout.readline()
        assert line.startswith(f"[Candidate story-{candidate}-")
        assert line.endswith("] hello\n")
    finally:
        follow.terminate()
        follow.communicate()
    code, out, err = run(world, "logs", "--stable", "--container=talks")
    assert code == 0, err
    lines = out.splitlines()
    assert len(lines) == 3
    assert all(x.startswith(f"[Stable story-{stable}-") for x in lines)
    for verb in ("infer", "logs"):
        code, _, err = run(world, verb, "--failed" if verb == "logs" else "--pod=absent")
        assert code == 4, err


def documented_run(world: World, page: str, beginning: str) -> str:
    """Runs a command of the docs for the model of this test; returns what it prints."""
    words = documented(page, beginning)
    assert words[:1] == ["modeldeploy"]
    rest = [word for word in words[2:] if word not in ("fraud", "-n", "risk")]
    code, out, err = run(world, words[1], *rest)
    assert code == 0, err
    return out


def test_commands_of_the_guides_read_logs_of_every_role(world: World) -> None:
    server = {"name": "server", "command": ["python3", "-c", "print('cannot load')"]}
    world.apply("v1", podTemplate={"spec": {"containers": [server]}})
    failed = world.phase("Failed")["failure"]["revision"]
    log = documented_run(
        world, "docs/guides/rolled-back.md", "kubectl modeldeploy logs fraud --failed"
    )
    assert log.startswith(f"[Failed story-{failed}-")
    assert "] cannot load\n" in log
    world.apply("v1", scaling={"replicas": 1})
    stable = world.phase("Ready", "v1")["stable"]["revision"]
    world.crash(stable)
    world.until(lambda _: restarts(world, stable) == [1], "a restart")
    documented_run(
        world, "docs/guides/troubleshooting.md", "kubectl modeldeploy logs fraud -n risk --stable"
    )
    world.until(lambda s: s["phase"] == "Ready", "stable again")
    world.apply("v2", rollout=_HALF, scaling={"replicas": 1})
    world.until(lambda s: s.get("weight") == 50, "weight 50")
    documented_run(
        world, "docs/guides/command-line.md", "kubectl modeldeploy logs fraud --candidate --since"
    )


def restarts(world: World, revision: str) -> list[int]:
    """How often each server of a revision was restarted."""
    return [pod["status"]["containerStatuses"][0]["restartCount"] for pod in world.pods(revision)]


def test_plan_counts_the_room_on_the_real_node(world: World, tmp_path: Path) -> None:
    world.apply("v1")
    world.phase("Ready", "v1")
    live = json.loads(world.kubectl("get", "modeldeployment", "story", "-o", "json"))
    spec = live["spec"]
    spec["model"]["version"] = "v2"
    for cpu, has_room in (("1m", True), ("10000", False)):
        spec["resources"] = {"requests": {"cpu": cpu}}
        body = {x: live[x] for x in ("apiVersion", "kind", "spec")} | {
            "metadata": {"name": "story"}
        }
        file = tmp_path / "model.json"
        file.write_text(json.dumps(body))
        code, out, err = run(
            world, "plan", "--server", "--file", str(file), "-o", "json", name=None
        )
        assert code == 0, err
        answers = {x["check"]: x for x in json.loads(out)["cluster"]}
        assert answers["admission"]["ok"]
        assert answers["nodes"]["ok"] is has_room, answers["nodes"]
