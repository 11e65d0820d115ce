"""Archives: the format, sharing, and that the same input gives the same bytes."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from pathlib import Path

import pytest

from sandbox import images
from sandbox.images.archive import identities
from sandbox.images.layers import LayerFailed, cached
from sandbox.images.site import install_command


def members(path: Path) -> dict[str, bytes]:
    found = {}
    with tarfile.open(path) as archive:
        for member in archive:
            content = archive.extractfile(member)
            found[member.name] = content.read() if content else b""
    return found


def test_archive_has_manifest_configs_and_layers(tmp_path: Path) -> None:
    layer = images.files({"/app/main.py": "print(1)\n"})
    image = images.Image(
        "example.org/one:1",
        [layer],
        entrypoint=["python3", "/app/main.py"],
        cmd=["--fast"],
        env={"A": "1"},
        user="65534",
        working_dir="/app",
    )
    found = members(images.write_archive(tmp_path / "a.tar", [image]))
    (entry,) = json.loads(found["manifest.json"])
    assert entry["RepoTags"] == ["example.org/one:1"]
    assert entry["Layers"] == [f"{layer.digest}.tar"]
    assert hashlib.sha256(found[entry["Layers"][0]]).hexdigest() == layer.digest
    assert entry["Config"] == f"{hashlib.sha256(found[entry['Config']]).hexdigest()}.json"
    config = json.loads(found[entry["Config"]])
    assert config["rootfs"]["diff_ids"] == [f"sha256:{layer.digest}"]
    assert config["config"]["Entrypoint"] == ["python3", "/app/main.py"]
    assert config["config"]["User"] == "65534"
    assert "A=1" in config["config"]["Env"]


def test_images_that_share_layers_carry_them_once(tmp_path: Path) -> None:
    base = images.files({"/base": "x" * 100_000})
    tags = [
        images.Image(f"example.org/m:{v}", [base, images.files({"/v": str(v)})]) for v in range(5)
    ]
    path = images.write_archive(tmp_path / "a.tar", tags)
    found = members(path)
    assert len([name for name in found if name.endswith(".tar")]) == 6
    assert identities(path) == {image.tag: image.identity for image in tags}


def test_same_images_give_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "source"
    source.mkdir()
    written = []
    for turn in (1, 2):
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / f"cache-{turn}"))
        (source / "b").write_text("b")
        (source / "a").write_text("a")
        os.utime(source / "a", (turn, turn))
        layers = [images.folder(source, "/data"), images.files({"/x": b"1"})]
        path = images.write_archive(
            tmp_path / f"{turn}.tar", [images.Image("example.org/m:1", layers)]
        )
        written.append(path.read_bytes())
    assert written[0] == written[1]


def test_layer_keeps_links_folders_and_execute_bits(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "bin").mkdir(parents=True)
    (source / "bin" / "run").write_text("#!/bin/sh\n")
    (source / "bin" / "run").chmod(0o755)
    (source / "bin" / "also").symlink_to("run")
    (source / "__pycache__").mkdir()
    (source / "__pycache__" / "x.pyc").write_text("")
    layer = images.files({"/opt": source, "/etc/hook": "#!/bin/sh\n"}, executable=("/etc/hook",))
    with tarfile.open(layer.path) as archive:
        found = {member.name: member for member in archive}
    assert sorted(found) == ["etc", "etc/hook", "opt", "opt/bin", "opt/bin/also", "opt/bin/run"]
    assert found["opt/bin/also"].linkname == "run"
    assert found["opt/bin"].isdir()
    assert [found[n].mode for n in ("opt/bin/run", "etc/hook")] == [0o755, 0o755]
    assert {member.mtime for member in found.values()} == {0}


def test_layer_is_made_once_and_a_failed_one_again() -> None:
    calls = 0

    def make(path: Path) -> None:
        nonlocal calls
        calls += 1
        path.write_bytes(b"half")
        if calls == 1:
            raise LayerFailed("the network was away")
        with tarfile.open(path, "w") as archive:
            archive.addfile(tarfile.TarInfo("x"), io.BytesIO())

    with pytest.raises(LayerFailed, match="away"):
        cached("one", make)
    first, second = cached("one", make), cached("one", make)
    assert (calls, first) == (2, second)
    assert hashlib.sha256(first.path.read_bytes()).hexdigest() == first.digest


@pytest.mark.parametrize("uv", ["/bin/uv", None])
def test_packages_are_installed_for_the_base_layers_python(uv: str | None) -> None:
    command = install_command(Path("wanted.txt"), Path("site"), uv)
    assert "--python-version=3.11" in command
    assert "--only-binary=:all:" in command
    assert any("manylinux" in word for word in command)
    assert command[-3:] == ["--target=site", "-r", "wanted.txt"]
