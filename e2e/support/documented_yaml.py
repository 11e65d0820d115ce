"""The YAML of the docs as whole objects: what readers would apply, or the values of the chart.

A fragment of a model becomes part of a small model, and checks become those of a model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import yaml

from support.docs import fences
from support.images import ROOT

OURS = "canarium.dev/"
#: What fragments are part of.
MODEL: dict[str, Any] = {
    "apiVersion": "canarium.dev/v1alpha1",
    "kind": "ModelDeployment",
    "metadata": {"name": "fraud"},
    "spec": {"model": {"uri": "s3://models/fraud/7/", "format": "sklearn", "version": "7"}},
}


@dataclass(frozen=True)
class Documented:
    """A YAML document of a page: `manifest` or `values` or, of a scrape configuration, `jobs`."""

    page: str
    section: str
    kind: str
    body: Any

    def __str__(self) -> str:
        return f"{self.page}:{self.section}:{self.kind}"


def of_page(page: str) -> list[Documented]:
    """Returns the YAML documents of a page. Raises ValueError for one whose purpose is unclear."""
    documents = []
    for fence in fences(page):
        if fence.kind == "yaml":
            for body in yaml.safe_load_all(fence.text):
                documents.append(
                    Documented(page, fence.section, *whole(body, f"{page}: {fence.section}"))
                )
    return documents


def whole(body: Any, place: str) -> tuple[str, Any]:
    """Returns the kind of a document and the object that it is, or is part of. Raises ValueError
    with `place`."""
    if isinstance(body, list):
        return "jobs", body
    if "apiVersion" in body:
        return "manifest", body
    if body.keys() == {"spec"}:
        return "manifest", _merged(MODEL, body)
    if body.keys() == {"checks"}:
        return "manifest", _merged(MODEL, {"spec": {"rollout": {"analysis": body}}})
    values = yaml.safe_load((ROOT / "charts" / "canarium" / "values.yaml").read_text())
    if body.keys() <= values.keys():
        return "values", body
    raise ValueError(f"{place}: neither a manifest nor values of the chart: {sorted(body)}")


def _merged(whole: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    """Returns `whole` with the fields of `part`."""
    merged = dict(whole)
    for name, value in part.items():
        below = merged.get(name)
        if isinstance(value, dict) and isinstance(below, dict):
            value = _merged(below, value)
        merged[name] = value
    return merged
