"""The Docker engine out of packages: where it can run, how it runs a container, what it leaves.

The node image is tested by `make test-kind-part`, which .ci/run runs.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox import binaries, cgroups, images
from sandbox.cli import NO_ENGINE, main
from sandbox.engine import Engine, EngineFailed, preloaded
from sandbox.engine import engine as engines

RUNC = Path(engines.__file__).with_name("runc.sh")
unable = engines.refusal(Path("/"))
needs_engine = pytest.mark.skipif(unable is not None, reason=str(unable))


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """What a container runtime is to run, as Docker and containerd write it."""
    lists = {
        "bounding": ["CAP_CHOWN", "CAP_SYS_RESOURCE", "CAP_SYS_TIME"],
        "effective": ["CAP_SYS_RESOURCE"],
        "permitted": ["CAP_SYS_RESOURCE", "CAP_KILL"],
        "ambient": ["CAP_KILL", "CAP_SYS_RESOURCE"],
    }
    process = {"args": ["sh", "-c", "echo CAP_SYS_RESOURCE"], "capabilities": lists}
    (tmp_path / "config.json").write_text(json.dumps({"process": process}))
    (tmp_path / "process.json").write_text(json.dumps(process, indent=2))
    return tmp_path


WITHOUT = {
    "bounding": ["CAP_CHOWN", "CAP_SYS_TIME"],
    "effective": [],
    "permitted": ["CAP_KILL"],
    "ambient": ["CAP_KILL"],
}


@pytest.mark.parametrize("words", [("--bundle", "{}"), ("--bundle={}",), ("-b", "{}")])
def test_capability_that_the_machine_lacks_is_taken_out_of_a_bundle(
    bundle: Path, words: tuple[str, ...]
) -> None:
    # The runtime itself refuses the rest of this bundle, or is not installed.
    where = [word.format(bundle) for word in words]
    subprocess.run([RUNC, "--log", "/dev/null", "create", *where, "x"], capture_output=True)
    process = json.loads((bundle / "config.json").read_text())["process"]
    assert process["capabilities"] == WITHOUT
    assert process["args"] == ["sh", "-c", "echo CAP_SYS_RESOURCE"]


@pytest.mark.parametrize("words", [("--process", "{}"), ("--process={}",), ("-p", "{}")])
def test_capability_that_the_machine_lacks_is_taken_out_of_what_enters_a_container(
    bundle: Path, words: tuple[str, ...]
) -> None:
    file = bundle / "process.json"
    where = [word.format(file) for word in words]
    subprocess.run([RUNC, "exec", *where, "x"], capture_output=True)
    assert json.loads(file.read_text())["capabilities"] == WITHOUT
    assert "CAP_SYS_RESOURCE" in (bundle / "config.json").read_text()


def test_bounding_set_is_read_for_the_capability() -> None:
    assert not engines.lacks_resource_capability("Name: a\nCapBnd:\t000001ffffffffff\n")
    assert engines.lacks_resource_capability("Name: a\nCapBnd:\t000001fffeffffff\n")


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="is about root")
def test_control_groups_of_version_2_are_refused_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").touch()
    reason = engines.refusal(Path("/"), root=tmp_path)
    assert reason is not None
    assert "start Docker instead" in reason


def docker_on_path(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    docker = folder / "docker"
    docker.write_text(f"#!/bin/sh\n{script}\n")
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def test_run_uses_the_docker_that_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    docker_on_path(tmp_path, monkeypatch, "echo 29.1.0")
    monkeypatch.delenv("KIND_IMAGE", raising=False)
    words = ["engine", "run", "--", "sh", "-c", 'test -z "$KIND_IMAGE" && exit 7']
    assert main(words) == 7
    monkeypatch.setattr(engines, "refusal", lambda folder: "it cannot")
    assert main(["engine", "check"]) == 0


@pytest.mark.parametrize("words", [("check",), ("up",), ("run", "--", "true")])
def test_machine_that_can_run_no_engine_has_an_exit_code(
    words: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    docker_on_path(tmp_path, monkeypatch, "exit 1")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(engines, "refusal", lambda folder: "it cannot")
    assert main(["engine", *words]) == NO_ENGINE
    expected = "sandbox: no Docker engine can be started here: it cannot\n"
    assert capsys.readouterr().err == expected
    assert not (tmp_path / "state").exists()


def fails(engine: Engine) -> None:
    raise EngineFailed("no package")


def test_engine_that_fails_to_start_has_the_exit_code_of_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    docker_on_path(tmp_path, monkeypatch, "exit 1")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(engines, "refusal", lambda folder: None)

    monkeypatch.setattr(Engine, "_unpack", fails)
    assert main(["engine", "run", "--", "true"]) == 1


def test_kubeadm_is_of_the_version_of_the_other_binaries() -> None:
    tools = binaries.TOOLS
    assert binaries.version(tools["kubeadm"]) == binaries.version(tools["kubelet"])


def test_images_of_the_control_plane_are_those_that_kubeadm_names(tmp_path: Path) -> None:
    kubeadm = tmp_path / "kubeadm"
    kubeadm.write_text('#!/bin/sh\necho "registry.k8s.io/coredns/coredns:v1.14.2"\necho "$*"\n')
    kubeadm.chmod(0o755)
    tag, *words = preloaded.tags(kubeadm, "v1.36.3")
    assert preloaded.name(tag) == "coredns"
    assert words == ["config", "images", "list", "--kubernetes-version", "v1.36.3"]


def test_command_that_fails_is_shown_with_its_output() -> None:
    with pytest.raises(EngineFailed, match=r"(?s)sh -c .*\nbroken"):
        engines.run(["sh", "-c", "echo broken >&2; exit 3"])


@pytest.mark.parametrize(
    "words", [("run",), ("run", "--"), ("up", "ls"), ("down", "--", "ls"), ("check", "ls")]
)
def test_engine_takes_a_command_with_run_only(words: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit):
        main(["engine", *words])


def interfaces() -> set[str]:
    """The network interfaces of the machine."""
    lines = Path("/proc/net/dev").read_text().splitlines()[2:]
    return {line.partition(":")[0].strip() for line in lines}


@pytest.mark.parametrize(("ends", "left"), [(True, False), (False, True)])
def test_engine_of_a_run_that_was_killed_is_taken_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ends: bool, left: bool
) -> None:
    monkeypatch.setattr(Engine, "check", lambda engine: None)
    monkeypatch.setattr(Engine, "_unpack", fails)
    engine = Engine(tmp_path / "engine")
    with subprocess.Popen(["sleep", "60"]) as run:
        try:
            with pytest.raises(EngineFailed, match="no package"):
                engine.up(owner=run.pid)
            if ends:
                run.kill()
                run.wait()
            Engine(tmp_path / "engine").sweep()
        finally:
            run.kill()
    assert engine.folder.exists() == left


@pytest.mark.slow
@needs_engine
def test_engine_runs_privileged_containers_and_leaves_nothing(tmp_path: Path) -> None:
    engine = Engine(tmp_path / "engine")
    before = interfaces()
    archive = images.write_archive(
        tmp_path / "image.tar", [images.Image("example.org/box:1", [images.busybox()])]
    )
    try:
        engine.up()
        engine.up()
        engine.docker("load", stdin=archive)
        run = ("run", "--rm", "--privileged", "example.org/box:1", "busybox")
        assert engine.docker(*run, "echo", "hello") == "hello\n"
        assert "default via" in engine.docker(*run, "ip", "route")
        routes = engines.run(engine.inside(["ip", "route"]), env=engine.environment)
        assert "default" not in routes, "nothing leads to the outside"
        with pytest.raises(EngineFailed, match=r"docker run .*\n.*no-such-program"):
            engine.docker(*run, "no-such-program")
        engine.docker(*run[:2], "--name=paused", "--detach", *run[2:], "sleep", "60")
        engine.docker("pause", "paused")
    finally:
        engine.down()
    assert not engine.part.alive
    assert not engine.folder.exists()
    trees = cgroups.hierarchies()
    assert [group for tree in trees for group in tree.glob(f"{engine.cgroup}*")] == []
    assert str(engine.folder) not in Path("/proc/mounts").read_text()
    assert not [name for name in interfaces() - before if name.startswith(("docker", "br-", "tap"))]
