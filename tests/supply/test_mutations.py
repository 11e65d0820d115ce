"""Every mutation matches the sources, so that `make mutations` undoes what it describes."""

from __future__ import annotations

import pytest

from mutations.cases import ROOT, Case, load


@pytest.mark.parametrize("case", load(), ids=lambda case: case.fault)
def test_mutation_applies_to_the_sources(case: Case) -> None:
    source = case.place().read_text()
    assert case.apply(source) != source
    for word in case.tests:
        if word.startswith("tests/"):
            assert (ROOT / word.split("::")[0]).exists(), word
