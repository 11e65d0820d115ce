"""An existing cluster: only one that is marked for tests, and it is left as it was found."""

from __future__ import annotations

import subprocess
import time

from sandbox import Sandbox
from sandbox.relay import pod

#: The ConfigMap that marks a cluster whose operator and models tests may delete.
NAMESPACE, MARK = "default", "canarium-e2e"
_KINDS = (
    "namespaces,customresourcedefinitions,clusterroles,clusterrolebindings,persistentvolumes,"
    "validatingadmissionpolicies,validatingadmissionpolicybindings,"
    "validatingwebhookconfigurations,mutatingwebhookconfigurations,priorityclasses"
)


class Refused(RuntimeError):
    """The cluster must not be used for tests; the text states why and what to do."""


def refuse_unmarked(sandbox: Sandbox) -> None:
    """Raises Refused unless the cluster is marked and does not have Canarium yet."""
    mark = sandbox.get(f"/api/v1/namespaces/{NAMESPACE}/configmaps/{MARK}")
    if mark is None or mark.get("data", {}).get("disposable") != "true":
        context = f"--context {named} " if (named := sandbox.options.context) else ""
        raise Refused(
            "this cluster is not marked for tests, which install and delete the operator, its "
            f"CRDs and models; mark it with `kubectl {context}-n {NAMESPACE} create configmap "
            f"{MARK} --from-literal=disposable=true`"
        )
    if "canarium.dev" in sandbox.kubectl("get", "crd", "-o", "name"):
        raise Refused(
            "this cluster has the CRDs of Canarium already: tests would delete them and every "
            "model; uninstall Canarium first (docs/guides/upgrading.md)"
        )


def objects(sandbox: Sandbox) -> set[str]:
    """Returns the objects without a namespace that tests can leave behind, as `kind/name`; those
    of the sandbox itself are deleted with it."""
    names = set(sandbox.kubectl("get", _KINDS, "-o", "name").split())
    return names - {f"namespace/{pod.NAMESPACE}"}


def clean(sandbox: Sandbox, before: set[str], seconds: float = 180) -> None:
    """Uninstalls the operator, and waits until nothing is left that was not there `before`.

    Namespaces of tests are deleted by the tests. Raises AssertionError with what is left.
    """
    try:
        sandbox.helm("uninstall", "canarium", "-n", "canarium", "--wait", "--ignore-not-found")
    except subprocess.CalledProcessError as error:
        raise AssertionError(f"helm uninstall: {error.stderr}") from error
    own = [name for name in objects(sandbox) - before if _deletable(name)]
    if own:
        sandbox.kubectl("delete", *own, "--ignore-not-found", "--wait=false")
    end = time.monotonic() + seconds
    while left := objects(sandbox) - before:
        assert time.monotonic() < end, f"left in the cluster: {', '.join(sorted(left))}"
        time.sleep(1)


def _deletable(name: str) -> bool:
    """Whether an object is the operator's: helm keeps its CRDs and its namespace."""
    is_definition = name.startswith("customresourcedefinition") and "canarium.dev" in name
    return is_definition or name == "namespace/canarium"
