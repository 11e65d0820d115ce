"""Commands are suggested and offered only where the operator would accept them."""

from __future__ import annotations

from typing import Any

import pytest

from canarium.view.effective_commands import effective_commands

_CANDIDATE = {"stable": {"revision": "a"}, "candidate": {"revision": "b"}}
_BAKING = {"stable": {"revision": "b"}, "previous": {"revision": "a", "readyReplicas": 1}}
_APPROVAL = {"name": "risk", "kind": "Approval", "state": "Waiting"}


@pytest.mark.parametrize(
    ("spec", "status", "expected"),
    [
        ({}, {"waitingFor": {"reason": "Manual"}}, "promote promote-full abort pause"),
        ({}, {"waitingFor": {"reason": "WaitingForPods"}}, "promote-full abort pause"),
        (
            {},
            {
                "waitingFor": {"reason": "CheckFailed"},
                "progress": {"weight": 25, "granted": 25, "pause": "60s"},
            },
            "promote promote-full abort pause",
        ),
        ({}, {"progress": {"pause": "60s", "released": "Elapsed"}}, "promote-full abort pause"),
        ({}, {"candidate": {}, "previous": {"revision": "a"}}, "pause"),
        ({"paused": True}, {"waitingFor": {"reason": "Paused"}}, "abort"),
        ({}, {"pause": {"source": "Command"}}, "abort resume"),
        ({}, {"stable": {}}, ""),
        ({}, {"phase": "RollingBack"}, ""),
        ({}, {"phase": "RolledBack", "candidate": {}, "failure": {"revision": "b"}}, "retry"),
        ({}, {"candidate": {}, **_BAKING}, "undo pause"),
        ({"paused": True}, {"candidate": {}, **_BAKING}, "undo"),
        ({}, {"gates": [_APPROVAL]}, "approve reject promote-full abort pause"),
        ({}, {"gates": [{**_APPROVAL, "kind": "Job"}]}, "rerun promote-full abort pause"),
        ({}, {"gates": [{**_APPROVAL, "state": "Passed"}]}, "promote-full abort pause"),
    ],
)
def test_command_without_effect_is_not_offered(
    spec: dict[str, Any], status: dict[str, Any], expected: str
) -> None:
    model = {"spec": spec, "status": {"phase": "Progressing", **_CANDIDATE, **status}}
    assert effective_commands(model) == tuple(expected.split())
