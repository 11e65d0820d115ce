"""Which revision answered a request."""

from __future__ import annotations

from canarium.view.inference import origin
from view.samples import objects


def test_answer_that_is_nested_too_deeply_names_no_revision() -> None:
    found, _ = objects("step-pause")
    assert origin(found, {}, "[" * 100_000).revision == ""
