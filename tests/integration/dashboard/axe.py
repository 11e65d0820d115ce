"""axe-core, which finds what keeps people with assistive technology from using a page."""

from __future__ import annotations

import base64
import hashlib
import subprocess
import tarfile
from pathlib import Path
from typing import Any

from playwright.async_api import Page

from sandbox import paths

VERSION = "4.14.1"
_SHA512 = "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=="


def script() -> str:
    """axe-core, fetched once by npm and checked by its hash."""
    folder = paths.cache() / f"axe-core-{VERSION}"
    archive = folder / f"axe-core-{VERSION}.tgz"
    with paths.locked(folder.with_suffix(".lock")):
        if not archive.exists():
            folder.mkdir(parents=True, exist_ok=True)
            command = ["npm", "pack", "--silent", f"axe-core@{VERSION}"]
            subprocess.run(command, cwd=folder, check=True, timeout=120)
    digest = hashlib.sha512(archive.read_bytes()).digest()
    assert base64.b64encode(digest).decode() == _SHA512, "axe-core is not what was pinned"
    return _member(archive)


def _member(archive: Path) -> str:
    with tarfile.open(archive) as opened:
        found = opened.extractfile("package/axe.min.js")
        assert found is not None
        return found.read().decode()


async def violations(page: Page) -> list[str]:
    """The rules that the page violates, each with its first element.

    The page's policy refuses scripts of others, so axe-core is evaluated by the driver.
    """
    await page.evaluate(script())
    found: dict[str, Any] = await page.evaluate("() => axe.run(document)")
    assert found["passes"], "axe-core has checked nothing"
    return [f"{v['id']}: {v['nodes'][0]['html']}" for v in found["violations"]]
