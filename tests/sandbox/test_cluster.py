"""Sandboxes by their records: attach, refuse, sweep, and the command line over them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from sandbox import Mode, NotOffered, NotUp, Options, Sandbox, clients, cluster, paths, sandboxes
from sandbox.cli import main
from sandbox.cluster import sweep
from sandbox.images import Image, files
from sandbox.parts import Part
from sandbox.ports import free_ports
from sandbox.progress import Progress

QUIET = Progress(quiet=True)


def recorded(options: Options, mode: Mode) -> Path:
    folder = paths.folder(options.name)
    folder.mkdir(parents=True)
    record = cluster._record(options, mode, "a test")
    (folder / "sandbox.json").write_text(json.dumps(record))
    return folder


def test_sandbox_that_was_never_started_is_not_running() -> None:
    with pytest.raises(NotUp, match="python -m sandbox up"):
        Sandbox.attach("nothing")


def test_attach_finds_the_options_again() -> None:
    options = Options(
        name="one",
        mode=Mode.SIMULATED,
        kubeconfig=Path("/k"),
        nodes=3,
        extra={"apiserver": ["--v=2"]},
    )
    recorded(options, Mode.SIMULATED)
    found = Sandbox.attach("one")
    assert found.mode is Mode.SIMULATED
    assert found.options == options
    assert [s.options.name for s in sandboxes()] == ["one"]


def test_another_mode_under_a_name_in_use_is_refused() -> None:
    recorded(Options(name="one"), Mode.SIMULATED)
    with pytest.raises(NotOffered, match="one is up as simulated"):
        cluster._mode(Options(name="one", mode=Mode.NATIVE), QUIET)
    assert cluster._mode(Options(name="one"), QUIET) == (Mode.SIMULATED, "a test")


def test_failed_first_start_leaves_no_record(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(clients, "find", lambda name: Path("/bin/false"))
    asked = Options(name="one", kubeconfig=tmp_path / "none", quiet=True)
    with pytest.raises(NotOffered):
        Sandbox.up(asked)
    assert not paths.folder("one").exists()


def test_sandbox_is_stopped_after_its_owner_has_ended() -> None:
    owner = subprocess.Popen(["sleep", "60"])
    folder = recorded(Options(name="one", owner=owner.pid), Mode.CONTROL_PLANE)
    free = recorded(Options(name="two"), Mode.CONTROL_PLANE)
    sweep(QUIET)
    assert folder.exists()
    owner.kill()
    owner.wait()
    sweep(QUIET)
    assert not folder.exists()
    assert free.exists()


def test_sandbox_in_a_cluster_that_was_deleted_is_stopped_after_its_owner() -> None:
    owner = subprocess.Popen(["true"])
    folder = recorded(Options(name="one", owner=owner.pid), Mode.EXTERNAL)
    owner.wait()
    Part(folder, "relay").start(["sleep", "60"])
    [port] = free_ports(1)
    cluster = {"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}
    context = {"name": "c", "context": {"cluster": "c", "user": ""}}
    config = {"clusters": [cluster], "contexts": [context], "current-context": "c"}
    (folder / "kubeconfig").write_text(json.dumps(config))
    sweep(QUIET)
    assert not folder.exists()


def test_simulated_sandbox_offers_no_traffic_and_no_images() -> None:
    recorded(Options(name="one"), Mode.SIMULATED)
    found = Sandbox.attach("one")
    with pytest.raises(NotOffered, match="no traffic"):
        found.forward("10.96.0.1:443")
    with pytest.raises(NotOffered, match="no container runs"):
        found.load([Image("example.org/m:1", [files({"/x": "1"})])])


def test_command_line_reports_what_failed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--name", "nothing", "status"]) == 1
    assert "no sandbox 'nothing'" in capsys.readouterr().err
    assert main(["--name", "nothing", "down"]) == 0


def test_command_line_lists_and_names_the_kubeconfig(
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = recorded(Options(name="one"), Mode.SIMULATED)
    assert main(["list"]) == 0
    assert capsys.readouterr().out == "one\tsimulated\tup\n"
    assert main(["--name", "one", "env"]) == 0
    assert capsys.readouterr().out == f"export KUBECONFIG={folder}/kubeconfig\n"
    assert main(["--name", "one", "down"]) == 0
    assert not folder.exists()
