"""What a sandbox writes for the parts of Kubernetes: keys, tokens, command lines, configuration."""

from __future__ import annotations

import json
import stat
import subprocess
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from sandbox import flags, nodefiles
from sandbox.credentials import Credentials
from sandbox.flags import Listening
from sandbox.native import Native, ready_since
from sandbox.pki import Authority

LOOPBACK = Listening("127.0.0.1", 1, 2, 3, 4, 5)


def option(words: flags.Words, name: str) -> str:
    return str(words[words.index(name) + 1])


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    made = Authority(tmp_path_factory.mktemp("pki"))
    made.make()
    made.serving("apiserver", ["127.0.0.1", "10.96.0.1"], ["localhost"])
    made.client("kubelet-client", "/O=system:masters/CN=kubelet-client")
    return made


@pytest.mark.parametrize(("name", "use"), [("apiserver", "server"), ("kubelet-client", "client")])
def test_certificates_are_of_the_sandboxs_own_authority(
    authority: Authority, name: str, use: str
) -> None:
    certificate, _ = authority.pair(name)
    subprocess.run(
        ["openssl", "verify", "-x509_strict", "-CAfile", authority.certificate,
         "-purpose", f"ssl{use}", certificate],
        check=True, capture_output=True,
    )  # fmt: skip


def test_servers_certificate_names_its_addresses(authority: Authority) -> None:
    text = subprocess.check_output(
        [
            "openssl",
            "x509",
            "-noout",
            "-ext",
            "subjectAltName",
            "-in",
            authority.pair("apiserver")[0],
        ],
        text=True,
    )
    assert all(part in text for part in ("127.0.0.1", "10.96.0.1", "DNS:localhost"))


def test_keys_are_made_once_and_for_the_owner_alone(authority: Authority) -> None:
    paths = [authority.certificate, authority.key, *authority.pair("apiserver")]
    before = [path.read_bytes() for path in paths]
    authority.make()
    authority.serving("apiserver", ["127.0.0.1"], ["localhost"])
    assert [path.read_bytes() for path in paths] == before
    assert stat.S_IMODE(authority.key.stat().st_mode) == 0o600


def test_every_part_has_a_separate_token(tmp_path: Path, authority: Authority) -> None:
    credentials = Credentials(tmp_path)
    credentials.make("some-node")
    lines = credentials.tokens.read_text().splitlines()
    assert len({line.split(",")[0] for line in lines}) == len(lines) > 4
    assert any('system:node:some-node,kubelet,"system:nodes"' in line for line in lines)
    assert stat.S_IMODE(credentials.tokens.stat().st_mode) == 0o600
    credentials.make("another-node")
    assert credentials.tokens.read_text().splitlines() == lines
    with pytest.raises(KeyError):
        credentials.token("nobody")
    path = credentials.kubeconfig(
        "admin", tmp_path / "kubeconfig", "https://127.0.0.1:1", authority.certificate
    )
    config = json.loads(path.read_text())
    assert config["users"][0]["user"]["token"] == credentials.token("admin")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_on_the_host_everything_listens_on_loopback_only(tmp_path: Path) -> None:
    for words in (
        flags.apiserver(Path("b"), tmp_path, LOOPBACK, False),
        flags.controller_manager(Path("b"), tmp_path, LOOPBACK),
        flags.scheduler(Path("b"), tmp_path, LOOPBACK),
    ):
        assert option(words, "--bind-address") == "127.0.0.1"
    text = " ".join(str(word) for word in flags.etcd(Path("b"), tmp_path, LOOPBACK))
    assert "0.0.0.0" not in text
    assert "http://127.0.0.1:2" in text


def test_in_a_namespace_the_api_server_answers_on_the_nodes_address(tmp_path: Path) -> None:
    inside = replace(LOOPBACK, address=nodefiles.NODE_ADDRESS)
    words = flags.apiserver(Path("b"), tmp_path, inside, True)
    assert option(words, "--bind-address") == "0.0.0.0"
    assert option(words, "--advertise-address") == nodefiles.NODE_ADDRESS
    assert "--audit-log-path" in words
    assert "--endpoint-reconciler-type" not in words


def test_containerd_is_configured_for_this_sandbox_alone(tmp_path: Path) -> None:
    config = tomllib.loads(nodefiles.containerd(tmp_path, "native", Path("/plugins")))
    assert config["root"].startswith(str(tmp_path))
    runtime = config["plugins"]["io.containerd.grpc.v1.cri"]
    assert runtime["sandbox_image"] == nodefiles.PAUSE_IMAGE
    assert runtime["restrict_oom_score_adj"] is True
    assert runtime["containerd"]["snapshotter"] == "native"


def test_kubelet_keeps_below_its_sandboxs_control_group(tmp_path: Path) -> None:
    config = nodefiles.kubelet(tmp_path, "canarium-one", None)
    assert config["cgroupRoot"] == "/canarium-one"
    assert config["clusterDNS"] == [flags.DNS_SERVICE]
    assert "crashLoopBackOff" not in config
    quick = nodefiles.kubelet(tmp_path, "canarium-one", "10s")
    assert quick["crashLoopBackOff"] == {"maxContainerRestartPeriod": "10s"}


def test_dns_listens_where_pods_are_configured_to_query(tmp_path: Path) -> None:
    service, endpoints = (body for _, body in nodefiles.dns_objects())
    assert service["spec"]["clusterIP"] == flags.DNS_SERVICE
    assert endpoints["endpoints"][0]["addresses"] == [nodefiles.NODE_ADDRESS]
    assert nodefiles.corefile(tmp_path).count(f"bind {nodefiles.NODE_ADDRESS}") == 2


@pytest.mark.parametrize(
    ("condition", "ready"),
    [
        (("Ready", "True", "2026-01-01T00:00:10Z"), True),
        (("Ready", "True", "2026-01-01T00:00:09Z"), False),
        (("Ready", "False", "2026-01-01T00:00:11Z"), False),
        (("MemoryPressure", "True", "2026-01-01T00:00:11Z"), False),
    ],
)
def test_node_is_ready_once_this_kubelet_reports_it(
    condition: tuple[str, str, str], ready: bool
) -> None:
    said = dict(zip(("type", "status", "lastHeartbeatTime"), condition, strict=True))
    assert ready_since(said, 1767225610.7) is ready


def test_two_users_sandboxes_of_one_name_share_no_control_group(tmp_path: Path) -> None:
    assert Native(tmp_path / "a" / "one").cgroup != Native(tmp_path / "b" / "one").cgroup
    assert Native(tmp_path / "a" / "one").cgroup.startswith("canarium-one-")
