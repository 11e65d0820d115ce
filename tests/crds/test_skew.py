"""What the operator finds when the cluster's CRD is of another release."""

from __future__ import annotations

import copy
import logging
from typing import Any

import pytest

from canarium.api import crd as generate
from canarium.api.crd_skew import Skew, skew
from canarium.host.crd_check import CrdMismatch, fit
from canarium.kube.clock import Timing
from canarium.kube.errors import ApiError


def ours() -> dict[str, Any]:
    return copy.deepcopy(generate.kinds()[0])


def properties(crd: dict[str, Any], part: str) -> dict[str, Any]:
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    found: dict[str, Any] = schema["properties"][part]["properties"]
    return found


def older() -> dict[str, Any]:
    crd = ours()
    del properties(crd, "status")["waitingFor"]
    outcome = properties(crd, "status")["history"]["items"]["properties"]["outcome"]
    outcome["enum"].remove("Undone")
    del properties(crd, "spec")["restartToken"]
    return crd


def newer() -> dict[str, Any]:
    crd = ours()
    properties(crd, "spec")["shadow"] = {"type": "object"}
    properties(crd, "spec")["rollout"]["properties"]["strategy"]["enum"].append("Shadow")
    properties(crd, "status")["shadow"] = {"type": "object"}
    return crd


class Server:
    """Answers with a CRD or an error, one after the other."""

    def __init__(self, *answers: dict[str, Any] | ApiError) -> None:
        self.answers = list(answers)

    async def get(self, *where: Any) -> dict[str, Any]:
        answer = self.answers.pop(0)
        if isinstance(answer, ApiError):
            raise answer
        return answer


async def looked(*answers: dict[str, Any] | ApiError) -> None:
    async def sleep(seconds: float) -> None: ...

    await fit(Server(*answers), Timing(sleep=sleep))  # type: ignore[arg-type]


def test_equal_crds_have_no_skew() -> None:
    assert skew(ours(), ours(), "v1alpha1") == Skew()


def test_older_crd_drops_fields_that_the_operator_writes() -> None:
    found = skew(older(), ours(), "v1alpha1")
    assert found.lost == (".status.waitingFor", ".status.history[].outcome: Undone")
    assert found.unsayable == (".spec.restartToken",)
    assert found.unknown == ()


def test_newer_crd_accepts_fields_that_the_operator_does_not_know() -> None:
    found = skew(newer(), ours(), "v1alpha1")
    assert found.unknown == (".spec.rollout.strategy: Shadow", ".spec.shadow")
    assert (found.lost, found.unsayable) == ((), ())


async def test_operator_refuses_to_start_over_an_older_crd_and_states_why() -> None:
    with pytest.raises(CrdMismatch) as refused:
        await looked(older())
    said = str(refused.value)
    assert "is older than this operator" in said
    assert "would drop status.waitingFor, status.history[].outcome: Undone" in said
    assert "kubectl apply --server-side -f crds/" in said


async def test_operator_refuses_to_start_without_the_crd_and_states_why() -> None:
    with pytest.raises(
        CrdMismatch, match=r"modeldeployments.canarium.dev is not installed; install"
    ):
        await looked(ApiError(404, "NotFound", ""))


async def test_operator_refuses_to_start_where_its_version_is_not_served() -> None:
    crd = ours()
    crd["spec"]["versions"][0]["served"] = False
    with pytest.raises(CrdMismatch, match="v1alpha1 is not served"):
        await looked(crd)


async def test_operator_starts_over_a_newer_crd_and_logs_unknown_fields(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        await looked(newer())
    assert "models that use spec.rollout.strategy: Shadow, spec.shadow are left" in caplog.text


async def test_silent_server_is_retried_and_refusing_server_is_not(
    caplog: pytest.LogCaptureFixture,
) -> None:
    await looked(ApiError(503, "", "down"), ApiError(0, "", "no answer"), ours())
    assert "cannot read the CRDs yet" in caplog.text
    await looked(ApiError(403, "Forbidden", "no"))
    assert "skipping the check of the CRDs" in caplog.text
