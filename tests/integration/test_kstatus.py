"""What Flux (kstatus), `kubectl wait` and `kubectl diff` see, phase by phase.

At no moment may a tool that waits take another version than the one applied for done.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
from pathlib import Path
from typing import Any

import yaml

from canarium.kube import resources
from integration.conftest import Cluster
from integration.kstatus import CURRENT, FAILED, IN_PROGRESS, TERMINATING, judged, recorded
from support.docs import documented

EXITS = {"metadata": {"annotations": {"sandbox/behaviour": "exits"}}}
HELD = {"steps": [{"weight": 50, "pause": "Manual"}], "bakeTime": "60s"}


def phases(seen: list[dict[str, Any]]) -> dict[str, set[str]]:
    """Phase → how kstatus judged the objects in it, of those whose spec was observed."""
    found: dict[str, set[str]] = {}
    for model in seen:
        status = model.get("status") or {}
        if status.get("observedGeneration") == model["metadata"]["generation"]:
            found.setdefault(status["phase"], set()).add(judged(model))
    return found


def mistaken(seen: list[dict[str, Any]]) -> list[str]:
    """Versions of the object that seem done although another version than the spec's serves."""
    return [
        f"{m['metadata']['generation']}: {m['status'].get('version')} {m['status']['phase']}"
        for m in seen
        if judged(m) == CURRENT and m["status"].get("version") != m["spec"]["model"]["version"]
    ]


async def waited(cluster: Cluster, *words: str) -> subprocess.CompletedProcess[str]:
    """`kubectl wait` for the model, in the background of the test."""
    return await asyncio.to_thread(kubectl, cluster, "wait", "modeldeployment/fraud", *words)


def kubectl(
    cluster: Cluster, *words: str, stdin: str | None = None
) -> subprocess.CompletedProcess[str]:
    try:
        said = cluster.plane.kubectl("-n", cluster.namespace, *words, stdin=stdin)
    except subprocess.CalledProcessError as error:
        return subprocess.CompletedProcess(words, error.returncode, error.stdout, error.stderr)
    return subprocess.CompletedProcess(words, 0, said, "")


async def test_every_phase_of_a_good_rollout_is_in_progress_until_the_new_version_is_promoted(
    cluster: Cluster,
) -> None:
    async with recorded(cluster.client, cluster.namespace) as seen:
        cluster.apply("1")
        done = await waited(cluster, "--for=condition=Ready", "--timeout=60s")
        assert done.returncode == 0, done.stderr
        assert (await cluster.model())["status"]["version"] == "1"
        cluster.apply("2")
        # The condition is True of the previous version; the wait is for the one just applied.
        done = await waited(cluster, "--for=condition=Ready", "--timeout=60s")
        assert done.returncode == 0, done.stderr
        assert (await cluster.model())["status"]["version"] == "2"
        cluster.apply("3", rollout=HELD)
        await cluster.until(lambda s: (s.get("waitingFor") or {}).get("reason") == "Manual")
        cluster.apply("3", rollout=HELD, paused=True)
        await cluster.until(lambda s: s.get("pause") is not None)
        assert judged(await cluster.model()) == IN_PROGRESS
        cluster.apply("3", rollout={"bakeTime": "60s"})
        # The manual pause outlasts its step (R12).
        held = await cluster.until(lambda s: s.get("pause") is None)
        order = f"canarium.dev/promote={held['candidate']['revision']}/1"
        kubectl(cluster, "annotate", "modeldeployment", "fraud", order)
        await cluster.phase("Baking", "3")
        done = await waited(cluster, "--for=condition=Ready", "--timeout=20s")
        assert done.returncode == 0, done.stderr
    assert mistaken(seen) == []
    assert seen[0]["status"] == {"observedGeneration": -1}, "not reconciled yet, and reported so"
    found = phases(seen)
    assert found["Starting"] == found["Progressing"] == {IN_PROGRESS}
    assert CURRENT in found["Ready"]
    assert found["Baking"] <= {IN_PROGRESS, CURRENT}
    assert FAILED not in set().union(*found.values())


async def test_rolled_back_version_fails_and_a_wait_for_it_never_succeeds(
    cluster: Cluster,
) -> None:
    cluster.apply("1")
    await cluster.phase("Ready", "1")
    async with recorded(cluster.client, cluster.namespace) as seen:
        cluster.apply("2", podTemplate=EXITS)
        waits = [
            waited(cluster, "--for=condition=Ready", "--timeout=3s"),
            waited(cluster, "--for=condition=Stalled", "--timeout=60s"),
            waited(cluster, "--for=condition=RolledBack", "--timeout=60s"),
        ]
        ready, stalled, back = await asyncio.gather(*waits)
        assert ready.returncode == 1
        assert "timed out" in ready.stderr
        assert (stalled.returncode, back.returncode) == (0, 0)
        await cluster.phase("RolledBack", "1")
    assert mistaken(seen) == []
    found = phases(seen)
    assert found["RolledBack"] == {FAILED}
    assert CURRENT not in set().union(*found.values())
    # The next good version is waited for as any other.
    cluster.apply("3", rollout={"bakeTime": "100ms"})
    done = await waited(cluster, "--for=condition=Ready", "--timeout=60s")
    assert done.returncode == 0, done.stderr
    assert (await cluster.model())["status"]["version"] == "3"


async def test_failed_first_version_and_invalid_spec_fail_and_deletion_is_reported(
    cluster: Cluster,
) -> None:
    async with recorded(cluster.client, cluster.namespace) as seen:
        cluster.apply("1", podTemplate=EXITS)
        await cluster.phase("Failed")
        cluster.apply("2", runtime={"name": "no-such"})
        await cluster.phase("Invalid")
        assert judged(await cluster.model()) == FAILED
    found = phases(seen)
    assert found["Failed"] == found["Invalid"] == {FAILED}
    cluster.plane.kubectl(
        "-n", cluster.namespace, "patch", "modeldeployment", "fraud", "--type=merge",
        "-p", '{"metadata":{"finalizers":["example.com/held"]}}',
    )  # fmt: skip
    await cluster.client.delete(resources.MODELS, cluster.namespace, "fraud")
    assert judged(await cluster.model()) == TERMINATING
    cluster.plane.kubectl(
        "-n", cluster.namespace, "patch", "modeldeployment", "fraud", "--type=merge",
        "-p", '{"metadata":{"finalizers":null}}',
    )  # fmt: skip


def manifest(version: str, **spec: Any) -> str:
    """A model as a user keeps it in a file."""
    return yaml.safe_dump(
        {
            "apiVersion": "canarium.dev/v1alpha1",
            "kind": "ModelDeployment",
            "metadata": {"name": "fraud"},
            "spec": {
                "model": {"version": version},
                "runtime": {
                    "image": f"model:{version}",
                    "readiness": {"path": "/ready"},
                    "env": [{"name": "A", "value": "1"}],
                },
                "rollout": {"steps": [{"weight": 50, "pause": "200ms"}], "bakeTime": "200ms"},
                **spec,
            },
        }
    )


async def test_diff_is_clean_at_every_moment_of_a_rollout_and_after_it(cluster: Cluster) -> None:
    text = manifest("1", rollout={"steps": [{"weight": 50, "pause": "Manual"}]})
    kubectl(cluster, "apply", "-f", "-", stdin=text)
    await cluster.phase("Ready", "1")
    assert kubectl(cluster, "diff", "-f", "-", stdin=text).stdout == ""
    text = manifest("2", rollout={"steps": [{"weight": 50, "pause": "Manual"}]})
    assert kubectl(cluster, "diff", "-f", "-", stdin=text).returncode == 1
    kubectl(cluster, "apply", "-f", "-", stdin=text)
    status = await cluster.until(lambda s: (s.get("waitingFor") or {}).get("reason") == "Manual")
    revision = status["candidate"]["revision"]
    kubectl(
        cluster, "annotate", "modeldeployment", "fraud", f"canarium.dev/promote-full={revision}/1"
    )
    await cluster.until(lambda s: s.get("version") == "2")
    done = kubectl(cluster, "diff", "-f", "-", stdin=text)
    assert (done.returncode, done.stdout) == (0, ""), done


async def test_server_side_apply_by_users_never_conflicts_with_the_operator(
    cluster: Cluster, tmp_path: Path
) -> None:
    """By the commands of the docs; then as kustomize-controller looks for drift, by a dry run."""
    path = tmp_path / "model.yaml"

    apply = documented("docs/guides/flux.md", "kubectl apply")
    wait = documented("docs/guides/flux.md", "kubectl wait")

    def run(words: list[str], *more: str) -> subprocess.CompletedProcess[str]:
        return kubectl(cluster, *(str(path) if w == path.name else w for w in words), *more)

    for version in ("1", "2"):
        path.write_text(manifest(version))
        done = run(apply)
        assert done.returncode == 0, done.stderr
        done = await asyncio.to_thread(run, wait)
        assert done.returncode == 0, done.stderr
        assert (await cluster.model())["status"]["version"] == version
    await cluster.phase("Ready", "2")
    live = await cluster.model()
    dry = json.loads(run(apply, "--dry-run=server", "-o", "json").stdout)
    assert dry["metadata"]["generation"] == live["metadata"]["generation"]
    assert (dry["spec"], dry["status"]) == (live["spec"], live["status"])
    diff = run(documented("docs/guides/flux.md", "kubectl diff"))
    assert (diff.returncode, diff.stdout) == (0, ""), diff
    managers = {
        (m["manager"], m["operation"], m.get("subresource", ""))
        for m in live["metadata"]["managedFields"]
    }
    users = {m for m in managers if m[2] != "status"}
    assert users == {("ml-team", "Apply", "")}
    assert len(managers - users) == 1
