"""Control groups, of both versions, on folders with the same files."""

from __future__ import annotations

from pathlib import Path

from sandbox import cgroups


def test_version_1_has_a_group_per_controller_with_its_cpus(tmp_path: Path) -> None:
    for controller in ("cpu", "cpuset", "memory"):
        (tmp_path / controller).mkdir()
    (tmp_path / "cpuset" / "cpuset.cpus").write_text("0-1\n")
    (tmp_path / "cpuset" / "mine").mkdir()
    (tmp_path / "cpuset" / "mine" / "cpuset.cpus").write_text("\n")
    cgroups.make("mine", tmp_path)
    assert all((tmp_path / c / "mine").is_dir() for c in ("cpu", "cpuset", "memory"))
    assert (tmp_path / "cpuset" / "mine" / "cpuset.cpus").read_text() == "0-1\n"


def test_version_2_has_one_tree(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").write_text("cpu memory\n")
    (tmp_path / "init.scope").mkdir()
    cgroups.make("mine", tmp_path)
    assert (tmp_path / "mine").is_dir()
    assert not (tmp_path / "init.scope" / "mine").exists()


def test_removal_takes_what_is_below_and_leaves_the_others(tmp_path: Path) -> None:
    (tmp_path / "memory" / "mine" / "kubepods" / "pod1").mkdir(parents=True)
    (tmp_path / "memory" / "other").mkdir()
    assert cgroups.remove("mine", tmp_path) == []
    assert sorted(path.name for path in (tmp_path / "memory").iterdir()) == ["other"]
    assert cgroups.remove("mine", tmp_path) == []


def test_removal_names_what_it_could_not_remove(tmp_path: Path) -> None:
    busy = tmp_path / "memory" / "mine"
    busy.mkdir(parents=True)
    (busy / "held").write_text("")
    assert cgroups.remove("mine", tmp_path, patience=0.05) == [busy]
