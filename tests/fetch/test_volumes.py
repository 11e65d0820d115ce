"""Models that are mounted, a claim's or an image's: checked in their place, never copied."""

from __future__ import annotations

from fetch.conftest import Fetcher

URI = "pvc://models/fraud"


def test_a_claim_is_checked_where_it_is(fetcher: Fetcher) -> None:
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


def test_what_a_claim_has_not_is_said(fetcher: Fetcher) -> None:
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
