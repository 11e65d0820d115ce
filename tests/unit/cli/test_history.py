"""`history`: revisions in lines."""

from __future__ import annotations

import json
from typing import Any

import pytest

from canarium import GROUP
from canarium.view.training_run import ANNOTATION
from cli.standin import Standin
from cli.test_logs import MODELS
from view.samples import sample
from view.test_history import TRAINING_RUN


def failed_with(kubectl: Standin, position: dict[str, Any], **annotations: str) -> None:
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
    notes |= {f"{GROUP}/failure": json.dumps(failure), **annotations}
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
    assert "RUN" not in head.split()


def test_training_run_is_shown_where_a_revision_has_one(kubectl: Standin) -> None:
    failed_with(kubectl, {}, **{ANNOTATION: json.dumps(TRAINING_RUN)})
    head, row, *_ = kubectl.run("history", "fraud", "--limit", "1").out.splitlines()
    assert (head.split()[-1], row.endswith("f80dcbf1 (git 4f1c2d9a)")) == ("RUN", True)
    wide = kubectl.run("history", "fraud", "-o", "wide").out
    assert "f80dcbf1dfe3415d" in wide
    assert "Datasets: transactions@ab12 (training), labels; Metrics: auc = 0.93" in wide
    entry = json.loads(kubectl.run("history", "fraud", "-o", "json").out)[0]
    assert entry["trainingRun"] == TRAINING_RUN
