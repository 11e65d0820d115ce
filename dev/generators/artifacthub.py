"""The annotations of the chart that Artifact Hub shows: kinds, an example, and whether it is early.

A release adds the images and the changes (`release.artifacthub`), which depend on the registry and
on the changelog.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml

MARK = "  # Made by `make generate` from the CRDs, examples/models/fraud-v1.yaml and the version.\n"


def filled(chart: str, definitions: Sequence[dict[str, Any]], example: dict[str, Any]) -> str:
    """Returns the text of `Chart.yaml` with everything below the mark made from the arguments.

    Raises ValueError if the mark is missing.
    """
    above, mark, _ = chart.partition(MARK)
    if not mark:
        raise ValueError(f"Chart.yaml needs the line {MARK.strip()}")
    version = str(yaml.safe_load(above)["version"])
    early = "-" in version or version.startswith("0.")
    notes = {
        "prerelease": str(early).lower(),
        "crds": _block([_kind(definition) for definition in definitions]),
        "crdsExamples": _block([example]),
    }
    return above + mark + annotation_lines(notes)


def annotation_lines(notes: dict[str, str]) -> str:
    """Returns lines of `annotations` in `Chart.yaml`; a value of several lines becomes a block."""
    lines = []
    for name, value in notes.items():
        if "\n" not in value:
            lines.append(f'  artifacthub.io/{name}: "{value}"\n')
            continue
        lines.append(f"  artifacthub.io/{name}: |\n")
        lines += [f"    {line}\n" for line in value.splitlines()]
    return "".join(lines)


def _block(value: Any) -> str:
    return str(yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=110))


def _kind(definition: dict[str, Any]) -> dict[str, str]:
    spec = definition["spec"]
    version = spec["versions"][-1]
    description = version["schema"]["openAPIV3Schema"]["description"]
    kind = spec["names"]["kind"]
    return {
        "kind": kind,
        "version": version["name"],
        "name": definition["metadata"]["name"],
        "displayName": kind,
        "description": description.partition(". ")[0].rstrip("."),
    }
