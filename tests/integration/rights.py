"""The chart's own roles on the API server of the tests, and what was done with them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from sandbox import clients
from sandbox.controlplane import ControlPlane

CHART = Path(__file__).parents[2] / "charts" / "canarium"
_RIGHTS = ("ServiceAccount", "Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding")
#: Verb and resource, with its group.
Right = tuple[str, str]


def rendered(*sets: str, release: str = "canarium", namespace: str = "default") -> list[Any]:
    """What `helm template` gives for values as of `--set-json`, without hooks."""
    words = [word for one in sets for word in ("--set-json", one)]
    command = [str(clients.find("helm")), "template", release, str(CHART), "-n", namespace]
    done = subprocess.run(
        [*command, "--no-hooks", *words], capture_output=True, text=True, check=True
    )
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return [body for body in yaml.load_all(done.stdout, loader) if body]


def granted(plane: ControlPlane, *sets: str, namespace: str = "default", into: Path) -> Path:
    """Applies the chart's account and roles; a kubeconfig at `into` of one who has only these."""
    # A unique name for the cluster-scoped objects of the release.
    own = (f'fullnameOverride="{namespace}"', 'serviceAccount.name="canarium"')
    bodies = [b for b in rendered(*sets, *own, namespace=namespace) if b["kind"] in _RIGHTS]
    # The aggregated roles of users are not the operator's.
    bodies = [
        b
        for b in bodies
        if not b["metadata"]["name"].endswith(("-view", "-edit", "-admin", "-approver"))
    ]
    plane.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(bodies))
    token = plane.kubectl("-n", namespace, "create", "token", "canarium", "--duration=2h")
    admin = json.loads(plane.kubeconfig.read_text())
    admin["users"][0]["user"] = {"token": token.strip()}
    into.write_text(json.dumps(admin))
    return into


def notifier(plane: ControlPlane, sinks: list[Any], *, into: Path) -> Path:
    """Applies the chart's account and roles of the notifier in namespace default; a kubeconfig at
    `into` of one who has only these."""
    sets = ("notifications.enabled=true", f"notifications.sinks={json.dumps(sinks)}")
    bodies = [
        body
        for body in rendered(*sets)
        if body["kind"] in _RIGHTS and body["metadata"]["name"].startswith("canarium-notifier")
    ]
    plane.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(bodies))
    token = plane.kubectl("-n", "default", "create", "token", "canarium-notifier", "--duration=2h")
    admin = json.loads(plane.kubeconfig.read_text())
    admin["users"][0]["user"] = {"token": token.strip()}
    into.write_text(json.dumps(admin))
    return into


def installation_test(plane: ControlPlane, namespace: str, *, into: Path) -> Path:
    """Applies the account and roles that `helm test` creates; a kubeconfig at `into` of one who has
    only these."""
    command = [str(clients.find("helm")), "template", "canarium", str(CHART), "-n", namespace]
    command += ["--set", f"fullnameOverride={namespace}", "-s", "templates/test/rbac.yaml"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    plane.kubectl("apply", "-f", "-", stdin=done.stdout)
    account = f"{namespace}-test"
    token = plane.kubectl("-n", namespace, "create", "token", account, "--duration=2h")
    admin = json.loads(plane.kubeconfig.read_text())
    admin["users"][0]["user"] = {"token": token.strip()}
    into.write_text(json.dumps(admin))
    return into


def rules(*sets: str) -> set[Right]:
    """Every verb on every resource that the operator is granted."""
    found = set()
    for body in rendered(*sets, "rbac.aggregate=false"):
        if body["kind"] in ("Role", "ClusterRole"):
            for rule in body["rules"]:
                for group in rule["apiGroups"]:
                    for resource in rule["resources"]:
                        found |= {(v, f"{group}/{resource}") for v in rule["verbs"]}
    return found


#: What `test_external_metrics.py` requests without a right on purpose: its log is that of the tests
#: after it.
REFUSED_ON_PURPOSE = ("list", "external.metrics.k8s.io/secret_age")


class Audit:
    """What one account has asked of the API server so far."""

    def __init__(
        self, plane: ControlPlane, namespace: str = "default", account: str = "canarium"
    ) -> None:
        self._log = plane.audit_log
        self._user = f"system:serviceaccount:{namespace}:{account}"

    def _events(self) -> Iterator[dict[str, Any]]:
        for line in self._log.read_text().splitlines():
            if self._user in line:
                event = json.loads(line)
                if event["user"]["username"] == self._user:
                    yield event

    def forbidden(self) -> set[Right]:
        """What was asked for without the right to it, other than on purpose."""
        refused = _rights(
            e
            for e in self._events()
            if e.get("annotations", {}).get("authorization.k8s.io/decision") == "forbid"
        )
        return refused - {REFUSED_ON_PURPOSE}

    def used(self) -> set[Right]:
        """What was asked for and allowed."""
        return _rights(
            e
            for e in self._events()
            if e.get("annotations", {}).get("authorization.k8s.io/decision") == "allow"
        )


def _rights(events: Iterable[dict[str, Any]]) -> set[Right]:
    found = set()
    for event in events:
        what = event.get("objectRef", {})
        if "resource" in what:
            sub = f"/{what['subresource']}" if what.get("subresource") else ""
            found.add((event["verb"], f"{what.get('apiGroup', '')}/{what['resource']}{sub}"))
    return found
