"""What a deleted model of the same name left is adopted before anything else (R20)."""

from __future__ import annotations

import pytest

from canarium.api.status import Status
from canarium.core.bookkeeping.adoption import adoption, conflicts
from canarium.core.decision import plan as p
from canarium.core.facts.object_ref import ObjectRef
from canarium.core.facts.observed import NameConflict, Observed, Orphan, Rejection

rule = pytest.mark.rule
LEFT = (Orphan(ObjectRef("Service", "m"), "s"), Orphan(ObjectRef("ControllerRevision", "m-r"), "c"))


# C8, D1
@rule("R20")
def test_orphans_are_adopted_records_first() -> None:
    plan = adoption(Status(), Observed(orphans=LEFT))
    assert plan
    assert plan.actions == (p.Adopt("ControllerRevision", "m-r", "c"), p.Adopt("Service", "m", "s"))
    assert [event.reason for event in plan.events] == ["Adopted"]


# C8: seen as a race on a real API server, where a manual step was skipped.
@rule("R3", "R20")
def test_nothing_is_decided_while_a_deleted_model_still_owns_a_child() -> None:
    plan = adoption(
        Status(), Observed(orphans=LEFT, owned_by_deleted=(ObjectRef("Deployment", "m-r"),))
    )
    assert plan
    assert plan.actions == ()
    assert "Deployment/m-r" in plan.status.message


@rule("R24")
def test_refused_adoption_is_left_to_the_other_phases_to_report() -> None:
    rejected = tuple(Rejection(one.object, "denied") for one in LEFT)
    assert adoption(Status(), Observed(orphans=LEFT, rejections=rejected)) is None
    assert adoption(Status(), Observed()) is None


# C8
@rule("R24", "R29")
def test_taken_names_are_reported_with_how_to_adopt_them_and_what_deleting_them_ends() -> None:
    text = conflicts(
        Observed(
            name_conflicts=(
                NameConflict(ObjectRef("Deployment", "m-r"), "ConfigMap/shop"),
                NameConflict(ObjectRef("Service", "m")),
            )
        ),
        "m",
    )
    assert text.startswith(
        "Deployment/m-r (controlled by ConfigMap/shop), Service/m (no owner) exist and are not "
        "controlled by this model"
    )
    assert "annotate it with canarium.dev/adopt=m" in text
    assert "Deleting the object instead also stops its pods or its traffic" in text
