"""Which processes a candidate for a Lease knows to have ended."""

from __future__ import annotations

import pytest

from canarium.kube.identity import POD_UID, Identity


def test_processes_of_one_pod_succeed_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(POD_UID, "4f1c2b3a-0d4e-4e52-9a55-0a4a2c9b8d11")
    first, second = Identity.of_process(), Identity.of_process()
    assert second.succeeds(first.name)
    assert not second.succeeds(second.name)


def test_pods_of_one_host_do_not_succeed_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(POD_UID, "4f1c2b3a-0d4e-4e52-9a55-0a4a2c9b8d11")
    first = Identity.of_process()
    monkeypatch.setenv(POD_UID, "77aa2b3a-0d4e-4e52-9a55-0a4a2c9b8d11")
    assert not Identity.of_process().succeeds(first.name)


def test_processes_outside_a_pod_do_not_succeed_each_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(POD_UID, raising=False)
    assert not Identity.of_process().succeeds(Identity.of_process().name)
