"""The termination message of a fetcher, as facts about its pod."""

from __future__ import annotations

import json
from typing import Any

import pytest

from canarium.core.facts.pods import Pod
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


def test_digest_is_read_from_the_fetcher() -> None:
    assert pod(json.dumps(SAID) + "\n").artifact == "sha256:one"


def test_verified_signature_is_read_from_the_fetcher() -> None:
    signed = {"key": "sha256:key", "subject": "fraud", "digest": "sha256:statement"}
    found = pod(json.dumps({**SAID, "signature": signed}))
    assert json.loads(found.signature or "") == signed
    for forged in ({**signed, "key": "\x1b"}, "x", 1, [signed]):
        assert pod(json.dumps({**SAID, "signature": forged})).signature is None


@pytest.mark.parametrize("message", ["", "no JSON", "[]", "{}", '{"digest": 1}', '"digest"'])
def test_empty_fetcher_message_is_ignored(message: str) -> None:
    assert pod(message).artifact is None


def test_failed_fetch_has_no_digest() -> None:
    assert pod(json.dumps(SAID), exit_code=10).artifact is None
