"""What is read back of a route of the Gateway API."""

from __future__ import annotations

from typing import Any

import pytest

from canarium.engine.cache.routes import route

rule = pytest.mark.rule
PATH = {"path": {"type": "PathPrefix", "value": "/fraud"}}
ASKED = {"matches": [{**PATH, "headers": [{"name": "x", "value": "y"}]}],
         "backendRefs": [{"name": "fraud-bbbb2222", "weight": 100}]}  # fmt: skip
BOTH = [{"name": "fraud-aaaa1111", "weight": 75}, {"name": "fraud-bbbb2222", "weight": 25}]
REST = {"matches": [PATH], "backendRefs": BOTH}


@rule("R6", "R18")
@pytest.mark.parametrize("rules", [[REST, ASKED], [ASKED, REST]], ids=["now", "versions before"])
def test_weights_are_read_from_the_default_rule_at_any_position(rules: list[Any]) -> None:
    labels = {"canarium.dev/model": "fraud"}
    meta = {"name": "fraud", "namespace": "risk", "uid": "u", "labels": labels, "generation": 1}
    meta |= {"resourceVersion": "1"}
    read = route(
        {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "HTTPRoute",
            "metadata": meta,
            "spec": {"rules": rules},
        }
    )
    assert read.fact.weights == (("aaaa1111", 75), ("bbbb2222", 25))
    assert read.fact.direct
