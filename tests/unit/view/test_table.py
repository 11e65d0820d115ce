"""Models of the rows of a table."""

from __future__ import annotations

import json
from typing import Any

import pytest

from canarium.api.columns import MODEL_COLUMNS
from canarium.view.table import reader

NAMES = ["Name", *(column.name for column in MODEL_COLUMNS)]
DEFINITIONS = [{"name": name} for name in NAMES]


def cells(**values: Any) -> list[Any]:
    """The cells of a row; the names of columns without their spaces."""
    found = [values.pop(name.replace(" ", ""), None) for name in NAMES]
    assert not values
    return found


def test_cells_are_at_the_places_of_their_columns() -> None:
    row = cells(
        Name="fraud",
        Namespace="risk",
        Phase="Progressing",
        Weight=25,
        CandidateRevision="bbbb2222",
        EffectiveWeight=20,
        Available="True",
        AvailableReason="Serving",
        PodsBlocked="QuotaExceeded",
        Ready="False",
        ReadyReason="Progressing",
        RejectedWrite="Forbidden",
        BlockedDeletion="fraud-aaaa1111",
        Labels=json.dumps({"team": "risk"}),
        Age="3d4h",
    )
    assert reader(DEFINITIONS)(row) == {
        "metadata": {"name": "fraud", "namespace": "risk", "labels": {"team": "risk"}},
        "status": {
            "phase": "Progressing",
            "weight": 25,
            "candidate": {"revision": "bbbb2222", "effectiveWeight": 20},
            "conditions": [
                {"type": "Ready", "status": "False", "reason": "Progressing"},
                {"type": "Available", "status": "True", "reason": "Serving"},
                {"type": "PodsBlocked", "status": "True", "reason": "QuotaExceeded"},
            ],
            "rejectedWrites": [{"reason": "Forbidden"}],
            "blockedDeletions": [{"object": "fraud-aaaa1111"}],
        },
    }


def test_table_of_other_definitions_is_refused_by_the_missing_column() -> None:
    with pytest.raises(LookupError, match="the table has no column Labels"):
        reader(DEFINITIONS[:-1])
    with pytest.raises(LookupError, match="the table has no column Name"):
        reader(())


def test_order_of_the_columns_does_not_matter() -> None:
    row = cells(Name="fraud", Phase="Ready")
    found = reader(DEFINITIONS[::-1])(row[::-1])
    assert found == {"metadata": {"name": "fraud"}, "status": {"phase": "Ready"}}


def test_row_that_is_too_short_is_refused() -> None:
    with pytest.raises(ValueError, match="too few cells"):
        reader(DEFINITIONS)(["fraud"])
