"""The CRDs take all that those of the release before took."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from chart import rendering
from crds.compatibility import breaks
from support.baseline import export

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(tmp_path_factory.mktemp("baseline"))


def load(path: Path) -> dict[str, Any]:
    body: dict[str, Any]
    (body,) = rendering.load(path.read_text())
    return body


def test_no_field_is_removed_or_narrowed(before: Path) -> None:
    older = sorted((before / "crds").glob("*.yaml"))
    assert older
    found = [
        fault for path in older for fault in breaks(load(path), load(ROOT / "crds" / path.name))
    ]
    assert found == []


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda spec: spec["properties"].pop("paused"), ".spec.paused: was removed"),
        (lambda spec: spec["properties"]["paused"].update(type="string"), "became string"),
        (
            lambda spec: spec["properties"]["rollout"]["properties"]["strategy"]["enum"].remove(
                "Recreate"
            ),
            "enum lost ['Recreate']",
        ),
        (lambda spec: spec["required"].append("scaling"), ".spec.scaling: became required"),
        (
            lambda spec: spec["properties"]["restartToken"].update(maxLength=3),
            "maxLength 128 became 3",
        ),
        (
            lambda spec: spec["properties"]["podTemplate"].pop(
                "x-kubernetes-preserve-unknown-fields"
            ),
            "unknown fields are dropped",
        ),
    ],
    ids=["field", "type", "enum", "required", "bound", "open"],
)
def test_incompatible_change_is_found(edit: Any, said: str) -> None:
    old = load(ROOT / "crds" / "modeldeployments.yaml")
    new = copy.deepcopy(old)
    spec = new["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    edit(spec)
    assert any(said in fault for fault in breaks(old, new))
