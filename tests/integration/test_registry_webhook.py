"""The receiver of `examples/registry-webhook`, with its rights, on a real API server."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import re
import runpy
import socket
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from email.message import Message
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

import pytest
import yaml

from fetch.mlflow_server import MlflowServer
from sandbox.controlplane import ControlPlane

FOLDER = Path(__file__).parents[2] / "examples" / "registry-webhook"
NAMESPACE, SECRET = "models", "a secret"
OWNER = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "name": "none",
    "uid": "00000000-0000-0000-0000-000000000000",
}
rule = pytest.mark.rule


class Receiver:
    """The receiver as a process, and MLflow, which sends deliveries to it."""

    def __init__(self, plane: ControlPlane, account: Path) -> None:
        self.plane, self.account = plane, account
        config = yaml.safe_load(plane.kubeconfig.read_text())
        cluster = config["clusters"][0]["cluster"]
        self.server: str = cluster["server"]
        server = urlsplit(self.server)
        data = cluster.get("certificate-authority-data")
        authority = (
            base64.b64decode(data) if data else Path(cluster["certificate-authority"]).read_bytes()
        )
        (account / "ca.crt").write_bytes(authority)
        (account / "namespace").write_text(NAMESPACE)
        self.token = plane.kubectl("-n", NAMESPACE, "create", "token", "registry-webhook").strip()
        (account / "token").write_text(self.token)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        environment = {
            **os.environ,
            "ACCOUNT": str(account),
            "KUBERNETES_SERVICE_HOST": server.hostname or "",
            "KUBERNETES_SERVICE_PORT": str(server.port),
            "WEBHOOK_SECRET": SECRET,
            "PORT": str(port),
        }
        self.process = subprocess.Popen(
            [sys.executable, str(FOLDER / "receiver.py")], env=environment
        )
        for _ in range(100):
            try:
                urllib.request.urlopen(self.url, timeout=5).close()
                return
            except URLError:
                time.sleep(0.1)
        raise AssertionError("the receiver does not start")

    def deliver(
        self,
        entity: str = "model_version_alias",
        *,
        secret: str = SECRET,
        age: float = 0.0,
        number: str = "delivery-1",
        stamp: str | None = None,
        **data: Any,
    ) -> tuple[int, str]:
        """Sends an event as MLflow does; returns status and text of the answer."""
        event = {"entity": entity, "action": "created", "timestamp": "", "data": data}
        body, stamp = json.dumps(event).encode(), stamp or str(int(time.time() - age))
        signed = f"{number}.{stamp}.".encode() + body
        digest = base64.b64encode(hmac.digest(secret.encode(), signed, hashlib.sha256)).decode()
        headers = {
            "Content-Type": "application/json",
            "X-MLflow-Signature": f"v1,{digest}",
            "X-MLflow-Delivery-Id": number,
            "X-MLflow-Timestamp": stamp,
        }
        request = urllib.request.Request(self.url, data=body, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, answer.read().decode().strip()
        except HTTPError as refused:
            with refused:
                return refused.code, refused.read().decode().strip()

    def annotation(self, model: str) -> str | None:
        """Value of the annotation of a model."""
        words = ("-n", NAMESPACE, "get", "modeldeployment", model, "-o", "json")
        found = json.loads(self.plane.kubectl(*words))["metadata"].get("annotations", {})
        value: str | None = found.get("canarium.dev/resolve")
        return value

    def patch(self, model: str, patch: dict[str, Any]) -> str:
        """Patches a model with the rights of the receiver; returns the error of the API server.

        Not by kubectl, which reads the object first.
        """
        path = f"/apis/canarium.dev/v1alpha1/namespaces/{NAMESPACE}/modeldeployments/{model}"
        headers = {
            "Authorization": f"Bearer {self.token}",
            "Content-Type": "application/merge-patch+json",
        }
        request = urllib.request.Request(
            self.server + path, data=json.dumps(patch).encode(), headers=headers, method="PATCH"
        )
        tls = ssl.create_default_context(cafile=str(self.account / "ca.crt"))
        try:
            urllib.request.urlopen(request, timeout=20, context=tls).close()
        except HTTPError as refused:
            with refused:
                return refused.read().decode()
        return ""


def model(name: str, uri: str, *, follow: bool = True) -> dict[str, Any]:
    source = {"uri": uri, "endpoint": "http://mlflow", "format": "mlflow"}
    if follow:
        source["follow"] = {"interval": "1h"}
    return {
        "apiVersion": "canarium.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"model": source},
    }


@pytest.fixture(scope="module")
def receiver(plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    plane.kubectl("create", "namespace", NAMESPACE)
    plane.kubectl("apply", "-k", str(FOLDER))
    models = (
        model("fraud", "mlflow://fraud%20v2@champion"),
        model("pinned", "mlflow://fraud%20v2@champion", follow=False),
        model("challenger", "mlflow://fraud%20v2@challenger"),
    )
    whole = {"apiVersion": "v1", "kind": "List", "items": models}
    plane.kubectl("apply", "-f", "-", stdin=json.dumps(whole))
    started = Receiver(plane, tmp_path_factory.mktemp("account"))
    yield started
    started.process.terminate()
    started.process.wait()
    plane.kubectl("-n", NAMESPACE, "delete", "modeldeployment", "--all", "--wait=false")


@rule("R26")
def test_signed_delivery_makes_exactly_the_models_that_follow_the_alias_resolve(
    receiver: Receiver,
) -> None:
    said = receiver.deliver(name="fraud v2", alias="champion", version="8")
    assert said == (200, "1 models follow this alias")
    assert receiver.annotation("fraud") == "delivery-1"
    assert receiver.annotation("pinned") is None
    assert receiver.annotation("challenger") is None
    assert receiver.deliver(name="fraud v2", alias="unknown", number="2")[1].startswith("0 models")
    assert receiver.deliver("model_version", name="fraud v2", version="9", number="3")[0] == 200
    assert receiver.annotation("fraud") == "delivery-1"


@rule("R26")
def test_delivery_of_a_real_mlflow_server_is_accepted(receiver: Receiver, tmp_path: Path) -> None:
    # By default it sends only to https:// and public addresses.
    loopback = {
        "MLFLOW_WEBHOOK_ALLOWED_SCHEMES": "http",
        "MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS": "true",
    }
    server = MlflowServer(tmp_path, **loopback)
    before = receiver.annotation("fraud")
    try:
        server.start()
        created = {"entity": "MODEL_VERSION_ALIAS", "action": "CREATED"}
        webhook = {"name": "canarium", "url": receiver.url, "events": [created]}
        server.call("POST", "webhooks", **webhook, secret=SECRET)
        run, folder = server.run(server.experiment("fraud"))
        version = server.register("fraud v2", f"{folder}/model", run)
        server.point("fraud v2", "champion", version)
        end = time.monotonic() + 30
        while (value := receiver.annotation("fraud")) == before:
            assert time.monotonic() < end, (tmp_path / "log").read_text()[-2000:]
            time.sleep(0.2)
    finally:
        server.kill()
    assert re.fullmatch("[0-9a-f-]{36}", value or ""), "the number of the delivery"


@rule("R26")
@pytest.mark.parametrize(
    ("how", "status"),
    [
        ({"secret": "another"}, 401),
        ({"age": 600.0}, 401),
        ({"age": -600.0}, 401),
        ({"stamp": "9" * 5000}, 401),
        ({"number": "x", "data": "y" * 70_000}, 413),
        ({"alias": None, "number": "9"}, 200),
    ],
)
def test_delivery_that_is_not_signed_now_by_mlflow_changes_nothing(
    receiver: Receiver, how: dict[str, Any], status: int
) -> None:
    before = receiver.annotation("fraud")
    assert receiver.deliver(**{"name": "fraud v2", "alias": "champion", **how})[0] == status
    assert receiver.annotation("fraud") == before


@rule("R26")
def test_receiver_may_change_only_its_annotation(receiver: Receiver) -> None:
    def note(name: str, value: str) -> dict[str, Any]:
        return {"metadata": {"annotations": {f"canarium.dev/{name}": value}}}

    refused = ""
    for number in range(100):
        # The API server needs a moment until a new policy is in effect.
        refused = receiver.patch("challenger", {"spec": {"paused": number % 2 == 0}})
        if refused:
            break
        time.sleep(0.1)
    assert "must not change the spec" in refused
    assert "must not change annotations" in receiver.patch("challenger", note("promote", "a/b"))
    assert receiver.patch("challenger", note("resolve", "by hand")) == ""
    assert receiver.annotation("challenger") == "by hand"
    for field, change in (
        ("labels", {"labels": {"team": "x"}}),
        ("finalizers", {"finalizers": ["acme.test/hold"]}),
        ("finalizers and owners", {"ownerReferences": [OWNER]}),
    ):
        assert f"must not change {field}" in receiver.patch("challenger", {"metadata": change})
    receiver.plane.kubectl(
        "-n", NAMESPACE, "annotate", "modeldeployment", "challenger", "canarium.dev/pause=a/b"
    )
    removal: dict[str, Any] = {"metadata": {"annotations": {"canarium.dev/pause": None}}}
    assert "must not remove annotations" in receiver.patch("challenger", removal)


@rule("R26")
def test_model_that_cannot_be_changed_delays_no_other_model() -> None:
    """The API server rejects the first one, and has deleted the second one meanwhile."""
    module = runpy.run_path(str(FOLDER / "receiver.py"))
    source = {"model": {"uri": "mlflow://fraud@champion", "follow": {}}}
    models = [{"metadata": {"name": name}, "spec": source} for name in ("bad", "gone", "good")]
    changed, codes = [], {"bad": 422, "gone": 404}

    class Rejecting(module["Cluster"]):  # type: ignore[misc]
        def __init__(self) -> None:
            self._models = "/models"

        def _request(self, method: str, path: str, patch: Any = None) -> Any:
            name = path.rpartition("/")[2]
            if name in codes:
                raise HTTPError(path, codes[name], "no", Message(), None)
            changed.append(name)
            return {"items": models}

    with pytest.raises(OSError, match=r"^bad: HTTP Error 422: no$"):
        Rejecting().announce("fraud", "champion", "delivery-1")
    assert changed == ["models", "good"]
