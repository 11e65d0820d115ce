"""Doctor, version, report and top beside a real API server and a real operator."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tarfile
from pathlib import Path

from canarium import VERSION
from cli.screen import Terminal
from integration import rights
from integration.cli.program import Program
from integration.conftest import Cluster
from sandbox import clients

_DENY = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"name": "deny"},
    "spec": {"podSelector": {}, "policyTypes": ["Ingress"]},
}


async def test_doctor_finds_the_operator_and_a_sound_cluster(
    cluster: Cluster, program: Program
) -> None:
    await cluster.leading()
    done = await program.run("doctor", "--wait", "--timeout", "30s", "-o", "json")
    assert done.code == 0, done.out
    levels = {one["subject"]: one["level"] for one in done.json["findings"]}
    assert levels["CRDs"] == levels["leader"] == levels["scope"] == "ok"
    assert levels["your rights"] == "ok"


async def test_doctor_reports_what_the_users_rights_do_not_allow(
    cluster: Cluster, program: Program
) -> None:
    done = await program.run("doctor", "--as", "jane", "-o", "json")
    assert done.code == 1
    problems = [one for one in done.json["findings"] if one["level"] == "problem"]
    assert [one["subject"] for one in problems] == ["your rights"]
    assert "may not get modeldeployments.canarium.dev" in problems[0]["message"]
    unread = [one for one in done.json["findings"] if one["message"].startswith("Not checked")]
    assert {"CRDs", "operator", "leader", "scope"} <= {one["subject"] for one in unread}


async def test_roles_of_helm_test_suffice_for_doctor_and_for_nothing_else(
    cluster: Cluster, tmp_path: Path
) -> None:
    await cluster.leading()
    # That of the operator's Lease.
    home = "default"
    account = Program(
        rights.installation_test(cluster.plane, home, into=tmp_path / "kubeconfig"), home
    )
    done = await account.run("doctor", "--installation", "--wait", "--timeout", "30s", "-o", "json")
    assert done.code == 0, (done.out, done.err)
    levels = {one["subject"]: one["level"] for one in done.json["findings"]}
    assert levels == {"CRDs": "ok", "leader": "ok"}
    for words in (("list",), ("list", "-A"), ("doctor", "--installation", "-n", cluster.namespace)):
        refused = await account.run(*words)
        assert (refused.code, refused.out) == (5, ""), words
        assert "Ask for the right" in refused.err


async def test_version_compares_the_definitions_of_the_cluster(
    cluster: Cluster, program: Program
) -> None:
    done = await program.run("version", "-o", "json")
    assert done.code == 0, done.err
    assert done.json["client"] == VERSION
    assert done.json["crds"] == f"those of {VERSION}"
    assert done.json["kubernetes"].startswith("v1.")


async def test_report_contains_the_model_and_no_value_of_its_environment(
    cluster: Cluster, program: Program, tmp_path: Path
) -> None:
    env = [{"name": "PASSWORD", "value": "pa55word-of-mine"}]
    runtime = {"image": "model:1", "readiness": {"path": "/ready"}, "env": env}
    cluster.apply("1", runtime=runtime)
    await cluster.phase("Ready", "1")
    file = tmp_path / "report.tar.gz"
    done = await program.run("report", "fraud", "--file", str(file))
    assert done.code == 0, done.err
    with tarfile.open(file) as archive:
        members = {m.name.partition("/")[2]: archive.extractfile(m) for m in archive.getmembers()}
        contents = {name: body.read().decode() for name, body in members.items() if body}
    assert json.loads(contents["model.json"])["metadata"]["name"] == "fraud"
    records = json.loads(contents["objects/controllerrevisions.json"])
    assert len(records) == 1
    assert "PASSWORD" in contents["model.json"]
    assert not [name for name, text in contents.items() if "pa55word-of-mine" in text]
    missing = await program.run("report", "nobody", "--file", str(tmp_path / "none.tar.gz"))
    assert missing.code == 4
    assert not (tmp_path / "none.tar.gz").exists()


async def test_top_shows_the_fleet_live_in_a_terminal(
    cluster: Cluster, program: Program, tmp_path: Path
) -> None:
    cluster.apply("1")
    await cluster.phase("Ready", "1")
    command = [
        *(sys.executable, "-m", "canarium_cli.main", "top"),
        *("--kubeconfig", str(program.kubeconfig), "--namespace", program.namespace),
    ]
    environment = {**os.environ, "KUBECTL": str(clients.find("kubectl"))}
    with Terminal(tmp_path, command, environment) as terminal:
        await asyncio.to_thread(terminal.until, lambda shown: "fraud" in shown and "Ready" in shown)
        cluster.apply("1", name="churn")
        await asyncio.to_thread(terminal.until, lambda shown: "2 models" in shown)
        await cluster.until(lambda s: s.get("phase") == "Ready", name="churn")
        shown = await asyncio.to_thread(
            terminal.until, lambda shown: "Ready 2" in shown and "churn" in shown
        )
        assert "0 need attention" in shown
        terminal.press("a")
        shown = await asyncio.to_thread(terminal.until, lambda shown: "only these" in shown)
        assert "churn" not in shown
        cluster.plane.kubectl("-n", cluster.namespace, "delete", "modeldeployment", "churn")
        await asyncio.to_thread(terminal.until, lambda shown: "1 models" in shown)
        terminal.press("q")
        await asyncio.to_thread(terminal.until, lambda shown: shown == "")


async def test_top_without_a_terminal_is_a_usage_error(program: Program) -> None:
    done = await program.run("top")
    assert done.code == 2
    assert "kubectl modeldeploy list" in done.err
