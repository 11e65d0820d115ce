"""Lines of the fleet come from a table, and are those of the whole objects."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from canarium.view.objects import Raw, part, text
from canarium.view.steps import position, steps
from canarium_dashboard import paths
from canarium_dashboard.access.identity import Identity
from canarium_dashboard.api import Api, ApiFault
from canarium_dashboard.lines import line
from integration.dashboard.people import person
from sandbox.controlplane import ControlPlane
from view.samples import SAMPLES, sample

#: Facts that no sample has.
_SINCE = "2026-11-28T14:28:00Z"
_REFUSALS = {"object": "pod", "reason": "Forbidden", "message": "quota", "startTime": _SINCE}
_BLOCKED = {
    "type": "PodsBlocked",
    "status": "True",
    "reason": "ImageUnavailable",
    "message": "not found",
    "lastTransitionTime": _SINCE,
}
_HELD = {"object": "deployment/odd-aaaa1111", "startTime": _SINCE}


def put(plane: ControlPlane, namespace: str, name: str, of: str, **status: object) -> None:
    """Creates a model with the spec and the status of a sample."""
    model: Raw = next(x for x in sample(of)[0] if x["kind"] == "ModelDeployment")
    labels = {"team": "risk", "example.com/tier": "a.b"} if of == "ready" else {}
    meta = {"name": name, "namespace": namespace, "labels": labels}
    plane.kubectl("create", "-f", "-", stdin=json.dumps({**model, "metadata": meta}))
    # The samples are older than this field.
    step = {"step": position(steps(model)) or None}
    patch = json.dumps({"status": {**model["status"], **step, **status}})
    words = ("patch", "modeldeployment", name, "--subresource=status", "--type=merge")
    plane.kubectl("-n", namespace, *words, "--patch", patch)


async def test_line_of_a_table_is_that_of_the_whole_object(
    plane: ControlPlane, tmp_path: Path
) -> None:
    namespace = "tables"
    plane.kubectl("create", "namespace", namespace)
    for name in SAMPLES:
        put(plane, namespace, name, name)
    put(plane, namespace, "refused", "step-pause", rejectedWrites=[_REFUSALS])
    put(plane, namespace, "held", "ready", blockedDeletions=[_HELD])
    put(plane, namespace, "blocked", "waiting-for-pods", conditions=[_BLOCKED])
    cluster = json.loads(plane.kubeconfig.read_text())["clusters"][0]["cluster"]
    authority = tmp_path / "ca.crt"
    authority.write_bytes(base64.b64decode(cluster["certificate-authority-data"]))
    token = person(plane, namespace, "viewer", reads=True, writes=False)
    viewer = Identity("v", "viewer", {"Authorization": f"Bearer {token}"})
    async with Api(cluster["server"], ca=authority) as api:
        path, version = paths.models(namespace), list[str]()
        found = {
            text(part(x, "metadata"), "name"): x async for x in api.models(viewer, path, version)
        }
        whole = await api.get(viewer, path)
        assert version[0].isdigit()
        with pytest.raises(ApiFault) as caught:
            _ = [x async for x in api.models(viewer, paths.models(), [])]
        assert caught.value.status == 403
    items = {text(part(x, "metadata"), "name"): x for x in whole["items"]}
    assert set(found) == set(items) == {*SAMPLES, "refused", "held", "blocked"}
    for name, item in items.items():
        assert line(found[name], 1e9) == line(item, 1e9), name
    plane.kubectl("delete", "namespace", namespace, "--wait=false")
