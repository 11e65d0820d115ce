"""The site has every page of `docs/`, and its links lead somewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

import site_pages

ROOT = Path(__file__).parents[2]
REPOSITORY = "https://forge.example/canarium"


class Loader(yaml.SafeLoader):
    """Reads the tags of mkdocs that name Python objects as nothing."""


Loader.add_multi_constructor("tag:yaml.org,2002:python/", lambda *_: None)


def in_nav(entry: Any) -> Iterator[str]:
    """Yields the pages of an entry of the navigation."""
    if isinstance(entry, str):
        yield entry
    else:
        for value in entry.values() if isinstance(entry, dict) else entry:
            yield from in_nav(value)


def settings() -> dict[str, Any]:
    return dict(yaml.load((ROOT / "mkdocs.yml").read_text(), Loader))


def test_every_page_is_in_the_navigation_once() -> None:
    pages = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    # The index of decisions lists them; tests/supply/test_docs.py checks that.
    in_index = {page for page in pages if page.startswith("decisions/")} - {"decisions/README.md"}
    assert sorted(in_nav(settings()["nav"])) == sorted(pages - in_index)


def test_site_needs_nothing_that_only_mkdocs_has() -> None:
    assert "hooks" not in settings()
    assert settings()["plugins"] == ["search"]


def test_continuous_integration_builds_the_site() -> None:
    for file in (".ci/run", ".github/workflows/ci.yaml"):
        assert re.search(r"make [\w -]*\bdocs\b", (ROOT / file).read_text())


def test_copy_for_the_site_has_every_file_and_no_deleted_file(tmp_path: Path) -> None:
    source, to = tmp_path / "docs", tmp_path / "copy"
    (source / "guides").mkdir(parents=True)
    (source / "guides" / "page.md").write_text("[a](../../README.md) [b](../images/a.png)")
    (source / "image.png").write_bytes(b"\x89PNG")
    to.mkdir()
    (to / "deleted.md").touch()
    site_pages.copy(source, to, REPOSITORY)
    assert (to / "guides" / "page.md").read_text() == (
        f"[a]({REPOSITORY}/blob/main/README.md) [b](../images/a.png)"
    )
    assert (to / "image.png").read_bytes() == b"\x89PNG"
    assert sorted(path.name for path in to.iterdir()) == ["guides", "image.png"]


def test_links_out_of_the_folder_lead_to_the_repository() -> None:
    page = "[a](../../charts/README.md#values) [b](../glossary.md) [c](x.md#y)"
    found = site_pages.rewritten(page, "guides/page.md", REPOSITORY)
    assert found == (
        f"[a]({REPOSITORY}/blob/main/charts/README.md#values) [b](../glossary.md) [c](x.md#y)"
    )
    assert site_pages.rewritten("[d](../SECURITY.md)", "page.md", REPOSITORY) == (
        f"[d]({REPOSITORY}/blob/main/SECURITY.md)"
    )
