"""How the API server of a kind cluster is made to write an audit log."""

from __future__ import annotations

import json
from pathlib import Path

from support.clusters import audit


def test_node_sees_the_folder_and_kubeadm_its_patches(tmp_path: Path) -> None:
    cluster = json.loads(audit.config(tmp_path).read_text())
    [node] = cluster["nodes"]
    [mount] = node["extraMounts"]
    assert mount["hostPath"] == str(tmp_path)
    [patch] = map(json.loads, cluster["kubeadmConfigPatches"])
    inside = Path(patch["patches"]["directory"]).relative_to(mount["containerPath"])
    # kubeadm takes the component and the type of a patch from its name.
    assert [path.name for path in (tmp_path / inside).iterdir()] == ["kube-apiserver+json.json"]


def test_patch_adds_to_what_kubeadm_writes(tmp_path: Path) -> None:
    audit.config(tmp_path)
    operations = json.loads((tmp_path / "patches" / "kube-apiserver+json.json").read_text())
    assert {one["op"] for one in operations} == {"add"}
    assert all(one["path"].endswith("/-") for one in operations)
    flags = dict(o["value"].split("=") for o in operations if o["path"].endswith("/command/-"))
    log, policy = audit.log(tmp_path), json.loads((tmp_path / "policy.json").read_text())
    assert flags["--audit-log-path"].endswith(f"/{log.name}")
    assert policy["rules"][0]["level"] == "Metadata"


def test_log_is_readable_without_root_and_kept_when_the_cluster_is(tmp_path: Path) -> None:
    audit.config(tmp_path)
    log = audit.log(tmp_path)
    assert log.stat().st_mode & 0o777 == 0o666
    log.write_text("event\n")
    audit.config(tmp_path)
    assert log.read_text() == "event\n"
