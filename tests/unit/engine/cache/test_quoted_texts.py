"""H8: texts of kubelets, gateways, API servers and fetchers are quoted where they become facts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from canarium.core.health.containers import fetch_failure
from canarium.engine.apply.desired import DesiredManifests
from canarium.engine.apply.rejections import WriteRejected
from canarium.engine.cache import pods, routes
from canarium.engine.cache.store import Store
from canarium.kube.errors import ApiError

EVIL = "a\nERROR forged \x1b[31m\u202e" + "x" * 10_000
WHEN = "2026-01-01T00:00:00Z"


def harmless(text: str | None) -> bool:
    return bool(text) and len(text or "") < 5000 and (text or "").replace("\n", "").isprintable()


def pod(**status: Any) -> Any:
    raw = {
        "metadata": {
            "name": "p", "namespace": "n", "uid": "u", "resourceVersion": "1",
            "creationTimestamp": WHEN,
        },
        "status": status,
    }  # fmt: skip
    return pods.pod(raw).fact


# H8
def test_texts_of_a_pod_are_quoted() -> None:
    scheduled = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable",
                 "message": EVIL, "lastTransitionTime": WHEN}  # fmt: skip
    fact = pod(
        conditions=[scheduled],
        containerStatuses=[
            {"name": "a", "state": {"waiting": {"reason": "ErrImagePull", "message": EVIL}}},
            {"name": "b", "state": {"terminated": {"exitCode": 1, "message": f"{EVIL}\nend"}}},
        ],
    )
    assert harmless(fact.unschedulable_message)
    assert harmless(fact.containers[0].waiting_message)
    assert harmless(fact.containers[1].message)
    assert fact.containers[1].message.splitlines()[-1] == "end"
    assert harmless(pod(phase="Failed", reason="Evicted", message=EVIL).ended)


def test_report_of_a_fetcher_is_quoted_after_it_was_parsed() -> None:
    report = json.dumps({"reason": "NotFound", "message": EVIL[:3000]})
    ended = {"terminated": {"exitCode": 10, "message": report}}
    (container,) = pod(initContainerStatuses=[{"name": "fetch", "state": ended}]).containers
    found = fetch_failure(container)
    assert found is not None
    assert found[0] == "NotFound"
    assert "\n" not in found[1]
    assert found[1].isprintable()


def test_fetcher_digest_is_ignored_unless_valid() -> None:
    def artifact(digest: object) -> Any:
        report = json.dumps({"digest": digest})
        ended = {"terminated": {"exitCode": 0, "message": report}}
        return pod(initContainerStatuses=[{"name": "fetch", "state": ended}])

    good = f"sha256:{'a' * 64}"
    assert artifact(good).artifact == good
    for digest in (EVIL, "sha256:", f"{good}\n", "md5:abc", 7, None, {"a": 1}):
        assert artifact(digest).artifact is None


def test_refusal_of_a_gateway_is_quoted() -> None:
    condition = {"type": "Accepted", "status": "False", "reason": "No\nReason", "message": EVIL,
                 "observedGeneration": 1}  # fmt: skip
    answer = routes._answer({"conditions": [condition]}, 1)
    assert isinstance(answer, tuple)
    assert all("\n" not in text and text.isprintable() for text in answer)


def test_refusal_of_an_api_server_is_quoted() -> None:
    error = ApiError(403, "For\nbidden", EVIL)
    assert "\n" not in str(error)
    assert str(error).isprintable()
    assert len(error.message) <= 2048


def test_error_of_a_template_is_quoted() -> None:
    """A string in a template may have any characters, by escapes."""
    store = Store(lambda key, urgency: None)
    meta = {"name": "r", "namespace": "n", "uid": "u", "resourceVersion": "1"}
    evil = "{{ parameters['a\\nERROR forged \\x1b[31m\\ud800'] }}"
    runtime = {"image": "i", "args": [evil]}
    store.runtimes.namespaced.observe({"metadata": meta, "spec": runtime})
    spec = {"model": {}, "runtime": {"name": "r"}}
    parent = {"metadata": {"name": "m", "namespace": "n"}, "spec": spec}
    with pytest.raises(WriteRejected) as raised:
        DesiredManifests(store).new_revision(parent, "abc")
    assert "is undefined" in raised.value.rejection.message
    assert raised.value.rejection.message.isprintable()
