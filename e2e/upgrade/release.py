"""A release of the operator by real helm: from which chart, and with which image."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

from sandbox import Sandbox

NAME = NAMESPACE = "canarium"


class Release:
    """The one release of a cluster."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def upgrade(self, chart: Path, tag: str, *sets: str) -> None:
        """Installs or upgrades, and waits until the operator of `tag` leads."""
        before = self.leader()
        words = [word for one in (f"image.tag={tag}", *sets) for word in ("--set", one)]
        self._helm(
            "upgrade", "--install", NAME, str(chart), "-n", NAMESPACE, "--create-namespace",
            "--wait", "--timeout", "120s", *words,
        )  # fmt: skip
        self._await_leader(before)

    def rollback(self, number: int) -> None:
        """Back to the release's revision `number`, as of helm's own history."""
        before = self.leader()
        self._helm("rollback", NAME, str(number), "-n", NAMESPACE, "--wait", "--timeout", "120s")
        self._await_leader(before)

    def uninstall(self) -> None:
        self._helm("uninstall", NAME, "-n", NAMESPACE, "--wait", "--timeout", "120s")

    def history(self) -> list[str]:
        """The states of the release's revisions, oldest first."""
        said = self._helm("history", NAME, "-n", NAMESPACE, "-o", "json")
        return [entry["status"] for entry in json.loads(said)]

    def leader(self) -> str:
        """Who holds the Lease; empty when nobody does."""
        asked = (
            "get",
            "lease",
            NAME,
            "--ignore-not-found",
            "-o",
            "jsonpath={.spec.holderIdentity}",
        )
        return self._sandbox.kubectl("-n", NAMESPACE, *asked)

    def _await_leader(self, before: str, seconds: float = 60) -> None:
        """Waits for another leader, then until it has looked at every model."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            now = self.leader()
            if now and now != before:
                time.sleep(6)
                return
            time.sleep(0.2)
        raise AssertionError(f"no new leader in {seconds} s; still {before!r}")

    def _helm(self, *words: str) -> str:
        try:
            return self._sandbox.helm(*words)
        except subprocess.CalledProcessError as error:
            pods = self._sandbox.kubectl("-n", NAMESPACE, "describe", "pods")
            raise AssertionError(f"{error.stderr}\n{pods[-4000:]}") from error
