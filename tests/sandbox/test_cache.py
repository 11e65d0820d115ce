"""What is built once: where it is stored, when it is built again, and by one process at a time."""

from __future__ import annotations

import re
import shutil
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from sandbox import binaries, clients, golang, paths
from sandbox.progress import Progress

MODULES = Path(binaries.__file__).parent / "go"


@pytest.mark.parametrize("name", binaries.TOOLS)
def test_version_of_every_tool_is_the_one_of_its_module(name: str) -> None:
    version = binaries.version(binaries.TOOLS[name])
    assert re.fullmatch(r"v\d+\.\d+\.\d+", version)
    assert version in binaries.place(name).parent.name


def test_change_of_the_module_is_another_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = binaries.place("etcd")
    copied = tmp_path / "go"
    shutil.copytree(MODULES, copied)
    monkeypatch.setattr(binaries, "_MODULES", copied)
    assert binaries.place("etcd") == before
    with (copied / "etcd" / "go.sum").open("a") as sums:
        sums.write("\n")
    assert binaries.place("etcd") != before
    (copied / "etcd" / "go.mod").write_text("module etcd\n")
    with pytest.raises(binaries.BuildFailed, match="does not require"):
        binaries.place("etcd")


def test_binaries_that_the_user_has_take_precedence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "etcd").touch()
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))
    assert binaries.find("etcd") == tmp_path / "etcd"


def test_built_tool_is_never_built_again(monkeypatch: pytest.MonkeyPatch) -> None:
    built = []

    def build(names: Sequence[str], progress: object) -> None:
        time.sleep(0.05)
        built.append([*names])
        for name in names:
            binaries.place(name).parent.mkdir(parents=True)
            binaries.place(name).touch()

    monkeypatch.setattr(binaries, "_build", build)
    threads = [threading.Thread(target=binaries.find, args=("etcd",)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert built == [["etcd"]]


KUBERNETES = ["kube-apiserver", "kube-scheduler", "kubelet"]


def test_binaries_of_one_module_are_built_by_one_command_and_missing_ones_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    built: list[Sequence[str]] = []
    monkeypatch.setattr(binaries, "_build", lambda names, progress: built.append(names))
    binaries.place("kube-scheduler").parent.mkdir(parents=True)
    binaries.place("kube-scheduler").touch()
    binaries.ensure(["etcd", *KUBERNETES, "coredns"], Progress(quiet=True))
    assert sorted(built) == [["coredns"], ["etcd"], ["kube-apiserver", "kubelet"]]


def test_two_modules_are_built_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    both = threading.Barrier(2, timeout=10)
    monkeypatch.setattr(binaries, "_build", lambda names, progress: both.wait())
    binaries.ensure(["etcd", *KUBERNETES], Progress(quiet=True))


def test_build_that_fails_is_raised_with_the_binaries_and_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = tmp_path / "go"
    go.write_text("#!/bin/sh\necho undefined: x\nexit 1\n")
    go.chmod(0o755)
    monkeypatch.setattr(golang, "go", lambda module, progress: str(go))
    with pytest.raises(binaries.BuildFailed, match=r"(?s)kube-apiserver, kubelet: .*undefined: x"):
        binaries.ensure(["kube-apiserver", "kubelet"], Progress(quiet=True))
    assert not binaries.place("kubelet").exists()


@pytest.mark.parametrize("name", binaries.TOOLS)
def test_program_is_where_the_compiler_puts_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As `go help build` has it: the last part of the path, unless that is a major version.
    go = tmp_path / "go"
    go.write_text(r"""#!/bin/sh
while [ "$1" != -o ]; do shift; done; folder=$2; shift 2
for package; do
    echo "$package" > "$folder/$(echo "$package" | sed -E 's#/v[0-9]+$##; s#.*/##')"
done
""")
    go.chmod(0o755)
    monkeypatch.setattr(golang, "go", lambda module, progress: str(go))
    monkeypatch.setattr(binaries.releases, "find", lambda name, version: None)
    path = binaries.find(name, Progress(quiet=True))
    assert path.read_text().strip() == binaries.TOOLS[name].package
    assert [p.name for p in paths.cache().iterdir()] == ["bin"]


def test_lock_is_held_by_one_at_a_time_and_leaves_no_file(tmp_path: Path) -> None:
    lock = tmp_path / "deep" / "lock"
    inside: list[int] = []
    most = []

    def enter() -> None:
        for _ in range(10):
            with paths.locked(lock):
                inside.append(1)
                most.append(len(inside))
                time.sleep(0.001)
                inside.pop()

    threads = [threading.Thread(target=enter) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(most) == 40
    assert max(most) == 1
    assert not lock.exists()


@pytest.mark.parametrize("name", ["", "A", "a/b", "..", "-a", "a-", "a" * 31, "a\n"])
def test_unsafe_folder_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        paths.folder(name)


def test_state_and_cache_follow_the_environment(tmp_path: Path) -> None:
    assert paths.folder("one") == tmp_path / "state" / "canarium" / "one"
    assert paths.cache() == tmp_path / "cache" / "canarium"


@pytest.mark.parametrize(
    ("said", "enough"),
    [
        ("go version go1.26.8 linux/amd64", True),
        ("go version go1.27rc1 linux/arm64", True),
        ("go version go2.0 linux/amd64", True),
        ("go version go1.9.2 linux/amd64", False),
        ("go version devel linux/amd64", False),
    ],
)
def test_go_is_taken_from_path_when_it_is_new_enough(said: str, enough: bool) -> None:
    assert golang.new_enough(said, (1, 26)) is enough


@pytest.mark.parametrize("module", sorted(path.name for path in MODULES.iterdir()))
def test_each_module_has_a_go_to_be_built_with(module: str) -> None:
    assert golang.required((MODULES / module / "go.mod").read_text()) in golang._PACKAGES


@pytest.mark.parametrize(
    ("name", "said", "enough"),
    [
        ("kubectl", "Client Version: v1.36.3\nKustomize Version: v5.8.0\n", True),
        ("kubectl", "Client Version: v1.20.9\n", False),
        ("kubectl", "", False),
        ("helm", "Client Version: v4.2.3", True),
        ("helm", "Client Version: v3.9.0", False),
    ],
)
def test_clients_are_taken_from_path_when_new_enough(name: str, said: str, enough: bool) -> None:
    assert clients.new_enough(name, said) is enough
