"""A release of the operator by real helm: from which chart, and with which image."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

from sandbox import Sandbox
from support.docs import documented
from support.images import ROOT

NAME = NAMESPACE = "canarium"
_LEASES = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases"


class Release:
    """The one release of a cluster."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def begin(self, chart: Path, *sets: str) -> None:
        """Installs, and waits until an operator leads."""
        before = self.leader()
        words = [word for one in sets for word in ("--set", one)]
        self._helm(
            "upgrade", "--install", NAME, str(chart), "-n", NAMESPACE, "--create-namespace",
            "--wait", "--timeout", "120s", *words,
        )  # fmt: skip
        self._await_leader(before)

    def upgrade(self) -> None:
        """As the docs have it, to the chart of this checkout."""
        before = self.leader()
        self._follow(documented("docs/guides/upgrading.md", "helm upgrade"))
        self._await_leader(before)

    def change(self, *sets: str) -> None:
        """Changes values of the same chart that restart the operator."""
        words = documented("docs/guides/upgrading.md", "helm upgrade")
        before = self.leader()
        self._follow([*words, *(word for one in sets for word in ("--set", one))])
        self._await_leader(before)

    def rollback(self) -> None:
        """Rolls back as documented: to the previous revision in helm's history."""
        before = self.leader()
        self._follow(documented("docs/guides/upgrading.md", "helm rollback"))
        self._await_leader(before)

    def restart(self) -> None:
        """Replaces every pod of the operator by another one like it."""
        before, which = self.leader(), f"deployment/{NAME}"
        self._sandbox.kubectl("-n", NAMESPACE, "rollout", "restart", which)
        self._sandbox.kubectl("-n", NAMESPACE, "rollout", "status", which, "--timeout=120s")
        self._await_leader(before)

    def uninstall(self) -> None:
        """As the docs have it."""
        self._follow(documented("docs/guides/upgrading.md", "helm uninstall"))

    def _follow(self, words: list[str]) -> None:
        """Runs helm as the docs have it; paths are of this checkout."""
        self._helm(*(str(ROOT / w) if w.startswith("charts/") else w for w in words))

    def history(self) -> list[str]:
        """The states of the release's revisions, oldest first."""
        history = self._helm("history", NAME, "-n", NAMESPACE, "-o", "json")
        return [entry["status"] for entry in json.loads(history)]

    def leader(self) -> str:
        """Holder of the Lease; empty when it has none."""
        lease = self._sandbox.get(f"{_LEASES}/{NAME}")
        return str(lease["spec"].get("holderIdentity") or "") if lease else ""

    def _await_leader(self, before: str, seconds: float = 90) -> None:
        """Waits for another leader."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            now = self.leader()
            if now and now != before:
                return
            time.sleep(0.1)
        raise AssertionError(f"no new leader in {seconds} s; still {before!r}")

    def _helm(self, *words: str) -> str:
        try:
            return self._sandbox.helm(*words)
        except subprocess.CalledProcessError as error:
            pods = self._sandbox.kubectl("-n", NAMESPACE, "describe", "pods")
            raise AssertionError(f"{error.stderr}\n{pods[-4000:]}") from error
