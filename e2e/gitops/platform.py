"""A real node with Argo CD, which installs the operator and the models from a git repository."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

from gitops.repository import MODEL, Repository
from gitops.watcher import Sample, Watcher
from sandbox import Sandbox
from sandbox.argocd import ArgoCD
from support.docs import documented

MODELS, OPERATOR = "models", "canarium-operator"
NAMESPACE = "risk"


@dataclass(frozen=True)
class Platform:
    """Actions and queries of a test."""

    sandbox: Sandbox
    argo: ArgoCD
    repository: Repository
    watcher: Watcher

    def ship(self, version: str, **rollout: Any) -> float:
        """Commits a version, notifies Argo CD as a web hook does, and waits until it is synced."""
        began = time.monotonic()
        commit = self.repository.model(version, **rollout)
        self.argo.refresh(MODELS)
        self.watcher.until(MODELS, lambda s: s.synced == commit, f"sync of {commit}", began)
        return began

    def until(self, health: str, since: float, seconds: float = 60) -> Sample:
        """The first sample after a commit was synced in which the models have a health."""
        return self.watcher.until(MODELS, lambda s: s.health == health, health, since, seconds)

    def model(self) -> dict[str, Any]:
        model: dict[str, Any] = self.sandbox.get(_THE_MODEL)
        return model

    def status(self, what: str, holds: Any, seconds: float = 60) -> dict[str, Any]:
        """The model's status once it `holds`."""
        end = time.monotonic() + seconds
        status: dict[str, Any] = {}
        while time.monotonic() < end:
            status = self.model().get("status", {})
            if holds(status):
                return status
            time.sleep(0.1)
        raise AssertionError(f"no {what} in {seconds:.0f} s: {json.dumps(status, indent=1)}")

    def offered(self) -> set[str]:
        """The actions that Argo CD offers for the model now, asked as the docs have it."""
        command = documented("docs/guides/argocd.md", "argocd app actions list")
        listed = json.loads(self.argo.cli(*command, "-o", "json"))
        return {a["Action"] for a in listed if not a["Disabled"]}

    def act(self, action: str) -> None:
        """Runs an action as the docs have it for `promote`."""
        words = documented("docs/guides/argocd.md", "argocd app actions run")
        assert "promote" in words
        self.argo.cli(*(action if word == "promote" else word for word in words))

    def model_pods(self) -> dict[str, int]:
        """Pods of all models by UID, with their restarts."""
        listed = self.sandbox.kubectl("-n", NAMESPACE, "get", "pods", "-o", "json")
        return {
            pod["metadata"]["uid"]: sum(
                c["restartCount"] for c in pod["status"].get("containerStatuses", ())
            )
            for pod in json.loads(listed)["items"]
        }

    def writes(self, since: int) -> list[tuple[str, str, str]]:
        """Who changed what, from line `since` of the audit log on: our kind and its children.

        Not the records of who leads, and not what Kubernetes' own controllers do.
        """
        writes = []
        for line in self.sandbox.audit_log.read_text().splitlines()[since:]:
            event = json.loads(line)
            user, what = event["user"]["username"], event.get("objectRef", {})
            if event["verb"] not in ("create", "update", "patch", "delete"):
                continue
            if user == "argocd" and what.get("apiGroup") == "argoproj.io":
                continue
            if "dryRun=" in event["requestURI"]:
                continue
            if "canarium" in user or user == "argocd":
                if what.get("resource") in ("leases", "selfsubjectaccessreviews"):
                    continue
                writes.append((user, event["verb"], f"{what.get('resource')}/{what.get('name')}"))
        return writes

    def applied(self, since: int) -> int:
        """How often Argo CD wrote the model, from line `since` of the audit log on.

        A comparison that ran on Argo CD's own late cache may start a sync, which then writes
        nothing: writes are what counts, not syncs.
        """
        ours = f"modeldeployments/{MODEL}"
        return sum(user == "argocd" and what == ours for user, _, what in self.writes(since))

    def await_comparisons(self, since: float, times: int, seconds: float = 60) -> None:
        """Waits until Argo CD has compared the models with Git `times` more often."""
        end = time.monotonic() + seconds
        while self.watcher.comparisons(MODELS, since) < times:
            assert time.monotonic() < end, f"{times} comparisons took more than {seconds:.0f} s"
            time.sleep(0.2)

    def audited(self) -> int:
        """How many lines the audit log has."""
        return len(self.sandbox.audit_log.read_text().splitlines())


_THE_MODEL = f"/apis/canarium.dev/v1alpha1/namespaces/{NAMESPACE}/modeldeployments/{MODEL}"
