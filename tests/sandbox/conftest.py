"""Every test has separate caches and sandboxes."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("CANARIUM_SANDBOX", raising=False)
    monkeypatch.delenv("CANARIUM_SANDBOX_INSTALL", raising=False)
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    # No test waits for a host of the internet, or downloads from one.
    monkeypatch.setenv("CANARIUM_SANDBOX_BINARIES", "build")
    monkeypatch.delenv("CANARIUM_SANDBOX_MIRROR", raising=False)
