"""Watches Applications all the time, as a user with the page open does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sandbox.argocd import ArgoCD


@dataclass(frozen=True, slots=True)
class Sample:
    """An Application at one moment (monotonic seconds)."""

    at: float
    application: str
    health: str
    sync: str
    compared: str
    synced: str
    operation: str
    reconciled: str
    settled: bool
    drifted: tuple[str, ...]
    complaint: str


class Watcher:
    """Samples every Application five times a second until `stop`, for ten minutes at most."""

    def __init__(self, argo: ArgoCD, every: float = 0.2, longest: float = 600) -> None:
        self._argo, self._every, self._longest = argo, every, longest
        self.samples: list[Sample] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(10)

    def of(self, application: str, since: float = 0.0) -> list[Sample]:
        return [s for s in list(self.samples) if s.application == application and s.at >= since]

    def healths(self, application: str, since: float = 0.0) -> list[str]:
        """The healths that were seen, without repeats in a row."""
        seen = [s.health for s in self.of(application, since)]
        return [h for i, h in enumerate(seen) if i == 0 or h != seen[i - 1]]

    def syncs(self, application: str, since: float = 0.0) -> int:
        """How many sync operations began."""
        return len({s.operation for s in self.of(application, since)}) - 1

    def comparisons(self, application: str, since: float) -> int:
        """How many comparisons with Git have ended."""
        return len({s.reconciled for s in self.of(application, since)}) - 1

    def drifted(self) -> list[Sample]:
        """Samples in which an object differed from a commit that had been synced already.

        The first comparison that ends after a sync may have begun before it, so it does not count.
        """
        first: dict[tuple[str, str], str] = {}
        samples = []
        for sample in list(self.samples):
            if sample.settled:
                began = first.setdefault((sample.application, sample.operation), sample.reconciled)
                if sample.drifted and sample.reconciled != began:
                    samples.append(sample)
        return samples

    def until(
        self,
        application: str,
        holds: Callable[[Sample], bool],
        what: str,
        since: float,
        seconds: float = 60,
    ) -> Sample:
        """The first sample since a moment for which `holds`."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for sample in self.of(application, since):
                if holds(sample):
                    return sample
            time.sleep(0.1)
        last = self.of(application)[-1:]
        raise AssertionError(f"{application}: no {what} in {seconds:.0f} s; last {last}")

    def _run(self) -> None:
        end = time.monotonic() + self._longest
        while not self._stop.is_set() and time.monotonic() < end:
            for application in self._argo.applications():
                self.samples.append(_sample(application))
            self._stop.wait(self._every)


def _sample(application: dict[str, Any]) -> Sample:
    status = application.get("status", {})
    sync, operation = status.get("sync", {}), status.get("operationState", {})
    synced = operation.get("syncResult", {}).get("revision", "")
    # After a sync Argo CD compares once more; times are in whole seconds.
    settled = (
        operation.get("phase") == "Succeeded"
        and status.get("reconciledAt", "") > operation.get("finishedAt", "")
        and sync.get("revision") == synced
    )
    differ = tuple(
        f"{r['kind']}/{r['name']}"
        for r in status.get("resources", ())
        if r.get("status") == "OutOfSync"
    )
    return Sample(
        time.monotonic(),
        application["metadata"]["name"],
        status.get("health", {}).get("status", ""),
        sync.get("status", ""),
        sync.get("revision", ""),
        synced if operation.get("phase") == "Succeeded" else "",
        operation.get("startedAt", ""),
        status.get("reconciledAt", ""),
        settled,
        differ if settled else (),
        "; ".join(c.get("message", "") for c in status.get("conditions", ())),
    )
