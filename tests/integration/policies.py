"""Admission policies of a third party that reject single writes for a while."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from canarium.kube import resources
from canarium.kube.errors import ApiError
from integration.conftest import Cluster

_GROUP = "admissionregistration.k8s.io/v1"
WORDS = "Changes are frozen until Monday"
SERVICES = ("", "services")
STATUSES = ("canarium.dev", "modeldeployments/status")


@dataclass
class Refusing:
    """A policy in force; `lifted_at` is when the API server was seen to admit the write again."""

    deleted_at: float = 0.0
    lifted_at: float = 0.0


def _policy(namespace: str, group: str, resource: str) -> list[dict[str, Any]]:
    version = "v1alpha1" if group else "v1"
    name = f"frozen-{namespace}"
    rule = {
        "apiGroups": [group],
        "apiVersions": [version],
        "operations": ["UPDATE"],
        "resources": [resource],
    }
    selector = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    return [
        {
            "apiVersion": _GROUP,
            "kind": "ValidatingAdmissionPolicy",
            "metadata": {"name": name},
            "spec": {
                "failurePolicy": "Fail",
                "matchConstraints": {"namespaceSelector": selector, "resourceRules": [rule]},
                "validations": [{"expression": "false", "message": WORDS}],
            },
        },
        {
            "apiVersion": _GROUP,
            "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": {"name": name},
            "spec": {"policyName": name, "validationActions": ["Deny"]},
        },
    ]


async def _refused(cluster: Cluster, resource: tuple[str, str]) -> bool:
    """Whether an update of `resource` by anybody would be refused now."""
    status = resource == STATUSES
    kind = resources.MODELS if status else resources.SERVICES
    path = kind.path(cluster.namespace, "fraud", "status" if status else None)
    body: dict[str, Any] = {"metadata": {"annotations": {"probe": str(time.monotonic())}}}
    if status:
        body = {"status": {"replicas": 4711}}
    try:
        await cluster.client.request(
            "PATCH",
            path,
            body,
            query={"dryRun": "All"},
            content_type="application/merge-patch+json",
        )
    except ApiError as error:
        if WORDS not in error.message:
            raise
        return True
    return False


async def _until(cluster: Cluster, resource: tuple[str, str], refused: bool) -> None:
    async with asyncio.timeout(30):
        while await _refused(cluster, resource) is not refused:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def refusing(cluster: Cluster, resource: tuple[str, str]) -> AsyncIterator[Refusing]:
    """Refuses updates of `resource` in the namespace of `cluster` meanwhile; in force when entered,
    and no longer in force when left."""
    items = _policy(cluster.namespace, *resource)
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
    found = Refusing()
    await asyncio.to_thread(cluster.plane.kubectl, "apply", "-f", "-", stdin=text)
    try:
        await _until(cluster, resource, True)
        yield found
    finally:
        await asyncio.to_thread(cluster.plane.kubectl, "delete", "-f", "-", stdin=text)
        found.deleted_at = time.time()
    await _until(cluster, resource, False)
    found.lifted_at = time.time()
