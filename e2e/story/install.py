"""The operator into a cluster, by helm and the chart of this checkout."""

from __future__ import annotations

from sandbox import Sandbox
from story.images import ROOT


def install(sandbox: Sandbox) -> None:
    """Installs or upgrades, and waits until the operator runs. CalledProcessError when not."""
    chart = str(ROOT / "charts" / "canarium")
    sandbox.helm(
        "upgrade", "--install", "canarium", chart, "-n", "canarium", "--create-namespace",
        "--wait", "--timeout", "120s",
    )  # fmt: skip
