"""The release's `install.yaml`, for clusters without Helm, as the real API server sees it."""

from __future__ import annotations

from pathlib import Path

from canarium import VERSION
from release import assets
from sandbox import clients
from sandbox.controlplane import ControlPlane


def test_api_server_accepts_every_object(plane: ControlPlane, tmp_path: Path) -> None:
    text = assets.install_manifest(str(clients.find("helm")), VERSION, assets.CHART)
    manifest = tmp_path / "install.yaml"
    manifest.write_text(text)
    # A dry run needs the namespace to exist.
    plane.kubectl("create", "namespace", assets.NAMESPACE)
    try:
        # fmt: off
        done = plane.kubectl(
            "apply", "--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict",
            "-f", str(manifest),
        )
        # fmt: on
    finally:
        plane.kubectl("delete", "namespace", assets.NAMESPACE, "--wait=false")
    accepted = [line for line in done.splitlines() if line.endswith("(server dry run)")]
    assert len(accepted) == text.count("\nkind: ")
