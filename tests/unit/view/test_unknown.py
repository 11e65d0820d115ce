"""What is named of a model that a newer operator has written."""

from __future__ import annotations

import pytest

from canarium.api.model_deployment import Spec
from canarium.api.status.status import Status
from canarium.view.unknown import SPEC_FIELDS, STATUS_FIELDS, unknown_parts
from view.samples import SAMPLES, objects


@pytest.mark.parametrize(("names", "part"), [(SPEC_FIELDS, Spec), (STATUS_FIELDS, Status)])
def test_field_names_are_those_of_the_api(
    names: frozenset[str], part: type[Spec] | type[Status]
) -> None:
    assert names == {field.alias or name for name, field in part.model_fields.items()}


@pytest.mark.parametrize("name", SAMPLES)
def test_model_of_this_version_has_nothing_unknown(name: str) -> None:
    assert unknown_parts(objects(name)[0].model) == ()


def test_fields_phase_and_wait_of_a_newer_operator_are_named() -> None:
    status = {"phase": "Contemplating", "shadow": {}, "waitingFor": {"reason": "Alignment"}}
    found = unknown_parts({"spec": {"model": {}, "mirror": {}}, "status": status})
    assert found == ("spec.mirror", "status.shadow", "phase Contemplating", "wait Alignment")
