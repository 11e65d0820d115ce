"""`ship`, `rollback` and `restart` against a real API server and the operator."""

from __future__ import annotations

import json

import yaml

from integration.cli.program import Program
from integration.conftest import Cluster


async def test_ship_rollback_and_restart_change_the_model(
    cluster: Cluster, program: Program
) -> None:
    cluster.apply("1")
    first = (await cluster.phase("Ready", "1"))["stable"]["revision"]

    printed = await program.run("ship", "fraud", "--version", "2", "--image", "model:2")
    assert printed.code == 0, printed.err
    body = yaml.safe_load(printed.out)
    assert (body["spec"]["model"]["version"], body["spec"]["runtime"]["image"]) == ("2", "model:2")
    cluster.plane.kubectl("apply", "--dry-run=server", "-f", "-", stdin=printed.out)
    assert (await cluster.model())["spec"]["model"]["version"] == "1"

    done = await program.run("ship", "fraud", "--version", "2", "--image", "model:2", "--apply")
    assert done.code == 0, done.err
    await cluster.phase("Ready", "2")
    dry = await program.run("rollback", "fraud", "--to", "1", "--apply", "--dry-run")
    assert dry.code == 0, dry.err
    back = await program.run("rollback", "fraud", "--to", "1", "--apply")
    assert back.code == 0, back.err
    status = await cluster.phase("Ready", "1")
    assert status["stable"]["revision"] == first, "the spec is that of the old revision"
    assert "nothing to change" in (await program.run("rollback", "fraud", "--to", first)).err

    again = await program.run("restart", "fraud", "--apply")
    assert again.code == 0, again.err
    await cluster.until(
        lambda s: s["phase"] == "Ready" and s["stable"]["revision"] not in ("", first)
    )


async def test_change_that_the_server_refuses_or_forbids_changes_nothing(
    cluster: Cluster, program: Program
) -> None:
    cluster.apply("1")
    await cluster.phase("Ready", "1")
    before = (await cluster.model())["metadata"]["resourceVersion"]
    invalid = await program.run("ship", "fraud", "--uri", "no uri", "--apply")
    assert invalid.code == 2
    assert "spec.model.uri" in invalid.err
    cluster.plane.kubectl(
        *("-n", cluster.namespace, "create", "rolebinding", "reader", "--clusterrole=view"),
        "--user=viewer",
    )
    cluster.plane.kubectl(
        *("-n", cluster.namespace, "create", "role", "models", "--verb=get,list"),
        "--resource=modeldeployments.canarium.dev",
    )
    cluster.plane.kubectl(
        *("-n", cluster.namespace, "create", "rolebinding", "models", "--role=models"),
        "--user=viewer",
    )
    forbidden = await program.run("ship", "fraud", "--version", "2", "--apply", "--as", "viewer")
    assert forbidden.code == 5
    assert "cannot patch resource" in forbidden.err
    unknown = await program.run("rollback", "fraud", "--to", "none")
    assert unknown.code == 4
    found = await cluster.model()
    assert found["spec"]["model"] == {"version": "1"}
    assert json.dumps(found["metadata"]["resourceVersion"]) >= json.dumps(before)
