"""Models that are mounted, a claim's or an image's: checked in their place, never copied."""

from __future__ import annotations

import argparse
import errno
import hashlib
import os
import tarfile
from pathlib import Path

import pytest

from canarium.fetch import cli
from fetch.conftest import Fetcher

URI = "pvc://models/fraud"


def test_claim_is_checked_where_it_is(fetcher: Fetcher) -> None:
    (fetcher.target / "sub").mkdir(parents=True)
    (fetcher.target / "sub" / "weights").write_bytes(b"w" * 1000)
    before = sorted(path.name for path in fetcher.folder.iterdir())
    done = fetcher.run(URI, "--in-place")
    assert done.code == 0, done.output
    assert (done.report["files"], done.report["bytes"]) == (1, 1000)
    assert sorted(p.name for p in fetcher.folder.iterdir()) == sorted([*before, "report.json"])
    again = fetcher.run(f"{URI}/", "--in-place", "--digest", done.digest)
    assert (again.code, again.digest) == (0, done.digest)
    (fetcher.target / "sub" / "weights").write_bytes(b"v" * 1000)
    other = fetcher.run(URI, "--in-place", "--digest", done.digest)
    assert (other.code, other.reason) == (10, "DigestMismatch"), other.output


def test_missing_file_of_a_claim_is_named(fetcher: Fetcher) -> None:
    done = fetcher.run(URI, "--in-place")
    assert (done.code, done.reason) == (10, "NotFound"), done.output
    fetcher.target.mkdir()
    empty = fetcher.run(URI, "--in-place")
    assert (empty.code, empty.reason) == (10, "NotFound"), empty.output
    fetcher.target.rmdir()
    fetcher.target.write_text("a file")
    file = fetcher.run(URI, "--in-place")
    assert (file.code, file.reason) == (10, "InvalidUri"), file.output
    assert "name its folder" in file.report["message"]


@pytest.fixture
def claim(tmp_path: Path) -> Path:
    folder = tmp_path / "claim"
    (folder / "fraud").mkdir(parents=True)
    return folder


def test_one_file_of_a_claim_is_copied(fetcher: Fetcher, claim: Path) -> None:
    (claim / "fraud" / "model.pkl").write_bytes(b"w" * 1000)
    done = fetcher.run(f"{URI}/model.pkl", "--claim", str(claim))
    assert done.code == 0, done.output
    assert fetcher.files() == {"model.pkl": b"w" * 1000}
    # As it is from any other store.
    other = fetcher.run(f"file://{claim}/fraud/model.pkl")
    assert other.digest == done.digest


def test_archive_of_a_claim_is_unpacked_unless_disabled(fetcher: Fetcher, claim: Path) -> None:
    path = claim / "fraud" / "model.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        archive.add(__file__, "sub/weights")
    own = f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
    options = (f"{URI}/model.tar.gz", "--claim", str(claim))
    done = fetcher.run(*options, "--digest", own)
    assert done.code == 0, done.output
    assert list(fetcher.files()) == ["sub/weights"]
    other = Fetcher(claim)
    kept = other.run(*options, "--no-unpack")
    assert kept.code == 0, kept.output
    assert other.files() == {"model.tar.gz": path.read_bytes()}


def test_folder_that_is_named_like_a_file_is_copied_too(fetcher: Fetcher, claim: Path) -> None:
    (claim / "fraud" / "parts.gguf").mkdir()
    (claim / "fraud" / "parts.gguf" / "1").write_bytes(b"one")
    done = fetcher.run(f"{URI}/parts.gguf", "--claim", str(claim))
    assert done.code == 0, done.output
    assert fetcher.files() == {"1": b"one"}


def test_file_that_is_not_there_or_leads_out_of_its_claim_is_refused(
    fetcher: Fetcher, claim: Path
) -> None:
    done = fetcher.run(f"{URI}/model.pkl", "--claim", str(claim))
    assert (done.code, done.reason) == (10, "NotFound"), done.output
    (claim / "fraud" / "model.pkl").symlink_to("/proc/self/environ")
    out = fetcher.run(f"{URI}/model.pkl", "--claim", str(claim))
    assert (out.code, out.reason) == (10, "UnsafePath"), out.output
    (claim / "fraud" / "model.pkl").unlink()
    (claim / "fraud" / "model.pkl").symlink_to("../latest")
    (claim / "latest").write_bytes(b"new")
    inside = fetcher.run(f"{URI}/model.pkl", "--claim", str(claim))
    assert inside.code == 0, inside.output
    assert fetcher.files() == {"model.pkl": b"new"}


def test_unreadable_file_of_a_claim_names_the_missing_permission(
    fetcher: Fetcher, claim: Path
) -> None:
    (claim / "fraud" / "model.pkl").write_bytes(b"w")
    (claim / "fraud" / "model.pkl").chmod(0)
    done = fetcher.run(f"{URI}/model.pkl", "--claim", str(claim), before=without_rights())
    assert (done.code, done.reason) == (10, "AccessDenied"), done.output
    for word in ("fraud/model.pkl", f"user {os.geteuid()}", "spec.pod.runAsUser"):
        assert word in done.report["message"]


def without_rights() -> list[str]:
    """What a command is begun with so that modes count for it, as in a pod, though we be root."""
    dropped = "-dac_override,-dac_read_search"
    return (
        ["setpriv", "--bounding-set", dropped, "--inh-caps", dropped] if os.geteuid() == 0 else []
    )


def test_lost_and_found_of_a_claim_is_ignored(fetcher: Fetcher) -> None:
    fetcher.target.mkdir()
    (fetcher.target / "weights").write_bytes(b"w")
    alone = fetcher.run("pvc://models", "--in-place")
    (fetcher.target / "lost+found").mkdir(mode=0)
    done = fetcher.run("pvc://models", "--in-place", before=without_rights())
    assert (done.code, done.digest) == (0, alone.digest), done.output
    # What can be read is served too, and so it counts.
    (fetcher.target / "lost+found").chmod(0o755)
    (fetcher.target / "lost+found" / "#12").write_bytes(b"found")
    other = fetcher.run("pvc://models", "--in-place", before=without_rights())
    assert (other.code, other.report["files"]) == (0, 2), other.output


@pytest.mark.parametrize("name", ["weights", "sub", "sub/lost+found"])
def test_unreadable_folder_of_a_claim_names_the_missing_permission(
    fetcher: Fetcher, name: str
) -> None:
    (fetcher.target / "sub" / "lost+found").mkdir(parents=True)
    (fetcher.target / "weights").write_bytes(b"w")
    (fetcher.target / name).chmod(0)
    done = fetcher.run(URI, "--in-place", before=without_rights())
    (fetcher.target / name).chmod(0o755)
    assert (done.code, done.reason) == (10, "AccessDenied"), done.output
    for word in (name, f"user {os.geteuid()}", "spec.pod.runAsUser", "spec.pod.fsGroup"):
        assert word in done.report["message"]
    assert "Secret" not in done.report["message"]


def test_unresponsive_volume_is_not_a_fault_of_the_fetcher(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stale(_: object) -> None:
        raise OSError(errno.ESTALE, os.strerror(errno.ESTALE), str(tmp_path / "weights"))

    monkeypatch.setattr(os, "scandir", stale)
    parser = argparse.ArgumentParser()
    cli.arguments(parser)
    words = [URI, str(tmp_path), "--in-place"]
    assert cli.main(parser.parse_args(words), {}) == 11
    said = capsys.readouterr().err
    assert "SourceUnavailable" in said
    assert "weights" in said
