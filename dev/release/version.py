"""The one version, in each place that states it."""

from __future__ import annotations

import re
from pathlib import Path

#: File → what stands around the version there.
_PLACES = {
    "pyproject.toml": r'(?m)^(version = ")([^"]+)(")$',
    # Its own, and that of the wheel `canarium`, which it needs in the same version.
    "cli/pyproject.toml": r'(?m)^(version = "|    "canarium==)([^"]+)(",?)$',
    "operator/canarium/__init__.py": r'(?m)^(VERSION = ")([^"]+)(")$',
    "charts/canarium/Chart.yaml": r"(?m)^((?:appV|v)ersion: )(\S+)()$",
}
_VERSION = re.compile(r"\d+\.\d+\.\d+(-(alpha|beta|rc)\.\d+)?")


class Unusable(ValueError):
    """A version that cannot be released; the message states why."""


def of_tag(tag: str) -> str:
    """The version of a tag such as v1.2.0. Raises Unusable."""
    version = tag.removeprefix("v")
    if not tag.startswith("v") or not _VERSION.fullmatch(version):
        raise Unusable(f"{tag!r}: a tag is v1.2.3, or v1.2.3-rc.1")
    return version


def stated(root: Path) -> dict[str, set[str]]:
    """File → the versions that it states."""
    return {
        name: {match[1] for match in re.findall(pattern, (root / name).read_text())}
        for name, pattern in _PLACES.items()
    }


def state(root: Path, version: str) -> None:
    """Writes `version` into every place below `root`. Raises Unusable when one is missing."""
    for name, pattern in _PLACES.items():
        path = root / name
        text, count = re.subn(pattern, rf"\g<1>{version}\g<3>", path.read_text())
        if not count:
            raise Unusable(f"{name}: no version found")
        path.write_text(text)


def dated(root: Path, version: str, day: str) -> bool:
    """Dates a section of the changelog that was written by hand; False if there is none.

    Raises Unusable when changes are not in that section: they would be announced by the next
    release.
    """
    path = root / "CHANGELOG.md"
    text = path.read_text()
    heading = f"## {version} (unreleased)\n"
    if heading not in text:
        return False
    left = sorted(p.name for p in (root / "changes").glob("*.md") if p.name != "README.md")
    if left:
        names = ", ".join(left[:3]) + (", …" if len(left) > 3 else "")
        raise Unusable(f"move these fragments into the section {version} of CHANGELOG.md: {names}")
    path.write_text(text.replace(heading, f"## {version} ({day})\n", 1))
    return True
