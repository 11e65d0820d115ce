"""Reads about one model are bounded by its name or its label, however many models there are."""

from __future__ import annotations

import pytest

from cli.standin import Standin
from cli.test_faults import ASKING, WAITING, answer_all
from sweep import every
from view.samples import sample

#: `events` reads those of the namespace, and `report` logs of the operator.
_OF_A_MODEL = [
    verb
    for verb, words in ASKING.items()
    if words[1:2] == ("fraud",) and verb not in ("events", "report")
]


@pytest.mark.parametrize("verb", every(_OF_A_MODEL))
def test_read_about_a_model_names_it(kubectl: Standin, verb: str) -> None:
    answer_all(kubectl, sample("step-pause")[0])
    kubectl.run(*ASKING[verb], *(["--timeout", "0.2"] if verb in WAITING else []))
    reads = [call for call in kubectl.calls if "get" in call]
    assert reads
    for call in reads:
        assert "--all-namespaces" not in call
        assert {
            "fraud",
            "--selector=canarium.dev/model=fraud",
            "--field-selector=metadata.name=fraud",
        } & {*call}, call
