"""Every example is taken by the API server as it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.controlplane import ControlPlane

FOLDER = Path(__file__).parents[2] / "examples"
#: What Argo CD reads is applied where Argo CD runs: e2e/gitops.
EXAMPLES = sorted(p for p in FOLDER.rglob("*.yaml") if FOLDER / "argocd" not in p.parents)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_example_applies(plane: ControlPlane, example: Path) -> None:
    said = plane.kubectl("apply", "--dry-run=server", "-f", str(example))
    assert "created (server dry run)" in said
