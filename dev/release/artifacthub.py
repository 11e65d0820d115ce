"""What a release adds to the chart for Artifact Hub: its images and its changes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import yaml

from generators.artifacthub import annotation_lines

# Headings of the changelog that Artifact Hub has a kind for; what stands below others was added.
_KINDS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
_HEADING = re.compile(r"### (.+)")
_LINK = re.compile(r"\[([^\]]+)\]\([^)]*\)")


def added(images: Sequence[tuple[str, str]], notes: str) -> str:
    """Returns lines for `annotations` of `Chart.yaml`.

    `images` has names and references, `notes` is the section of the changelog. There is no
    `artifacthub.io/signKey`, because the chart is not signed with a PGP key.
    """
    listed = [{"name": name, "image": reference} for name, reference in images]
    return annotation_lines(
        {"images": yaml.safe_dump(listed, sort_keys=False), "changes": _changes(notes)}
    )


def _changes(notes: str) -> str:
    changes = [{"kind": kind, "description": text} for kind, text in _items(notes)]
    return str(yaml.safe_dump(changes, sort_keys=False, allow_unicode=True, width=110))


def _items(notes: str) -> Iterator[tuple[str, str]]:
    """Yields the kind and the text of each item of a list, without links."""
    kind = "added"
    for block in re.split(r"\n(?=- |### )|\n\n", notes):
        heading = _HEADING.match(block)
        if heading:
            kind = heading[1].lower() if heading[1] in _KINDS else "added"
        elif block.startswith("- "):
            yield kind, _LINK.sub(r"\1", " ".join(block[2:].split()))
