"""`history`: revisions in lines."""

from __future__ import annotations

import json
from typing import Any

import pytest

from canarium import GROUP
from cli.standin import Standin
from cli.test_logs import MODELS
from view.samples import sample


def failed_with(kubectl: Standin, position: dict[str, Any]) -> None:
    """Answers with a model whose revision mxclk5qg failed at this position."""
    items = sample("rolled-back")[0]
    model = next(x for x in items if x["kind"] == "ModelDeployment")
    record = next(
        x
        for x in items
        if x["kind"] == "ControllerRevision" and x["metadata"]["name"].endswith("mxclk5qg")
    )
    notes = record["metadata"]["annotations"]
    failure = json.loads(notes[f"{GROUP}/failure"]) | position
    notes[f"{GROUP}/failure"] = json.dumps(failure)
    kubectl.answers("get", MODELS, out=model)
    kubectl.answers("get", "controllerrevisions.apps", out={"kind": "List", "items": [record]})
    kubectl.answers("get", "services", out=next(x for x in items if x["kind"] == "Service"))
    kubectl.answers("get", out={"kind": "List", "items": []})


@pytest.mark.parametrize(
    ("position", "cell"),
    [
        ({"weight": 50, "step": "2/3"}, "50 %, step 2/3"),
        ({"weight": 0, "step": "1/3"}, "no traffic, step 1/3"),
        ({"weight": 100}, "100 %"),
        ({}, "-"),
    ],
)
def test_failed_revision_has_its_weight_and_step(
    kubectl: Standin, position: dict[str, Any], cell: str
) -> None:
    failed_with(kubectl, position)
    done = kubectl.run("history", "fraud", "--limit", "1")
    assert (done.code, done.err) == (0, "")
    head, row = done.out.splitlines()
    start, end = head.index("FAILED AT"), head.index("BY ")
    assert row[start:end].strip() == cell
    (entry,) = json.loads(kubectl.run("history", "fraud", "--limit", "1", "-o", "json").out)
    assert entry.get("failedWeight") == position.get("weight")
    assert entry.get("failedStep") == position.get("step")
