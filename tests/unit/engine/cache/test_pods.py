"""What a fetcher says in its termination message, as facts about its pod."""

from __future__ import annotations

import json
from typing import Any

import pytest

from canarium.core.facts.observed import Pod
from canarium.engine.cache import pods
from canarium.render import labels

SAID = {"digest": "sha256:one", "files": 2, "bytes": 10}


def pod(message: str, exit_code: int = 0) -> Pod:
    ended = {"exitCode": exit_code, "reason": "Completed", "message": message}
    own: dict[str, Any] = {"name": "p", "namespace": "ns", "uid": "u", "resourceVersion": "1"}
    marks = {labels.MODEL: "m", labels.REVISION: "r", labels.COLOR: "blue"}
    fetch = {"name": "fetch", "state": {"terminated": ended}}
    raw = {
        "metadata": {**own, "labels": marks, "creationTimestamp": "1970-01-01T00:00:00Z"},
        "status": {"initContainerStatuses": [fetch]},
    }
    return pods.pod(raw).fact


def test_the_bytes_and_what_the_uri_stood_for_are_read() -> None:
    found = pod(json.dumps({**SAID, "resolved": "4f1c2d9"}) + "\n")
    assert (found.artifact, found.resolved) == ("sha256:one", "4f1c2d9")
    found = pod(json.dumps(SAID))
    assert (found.artifact, found.resolved) == ("sha256:one", None)


@pytest.mark.parametrize("message", ["", "no JSON", "[]", "{}", '{"digest": 1}', '"digest"'])
def test_a_message_that_says_nothing_is_nothing(message: str) -> None:
    found = pod(message)
    assert (found.artifact, found.resolved) == (None, None)


def test_a_fetch_that_failed_has_brought_nothing() -> None:
    assert pod(json.dumps(SAID), exit_code=10).artifact is None
