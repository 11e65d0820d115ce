"""The stores' pod, what is in them, and the claim; one image serves stores and models alike."""

from __future__ import annotations

import base64
import io
import json
import subprocess
import tarfile
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox import Sandbox, images
from sandbox.binaries import find
from sandbox.images import Image, Layer
from support.images import locked

HERE = Path(__file__).parent
IMAGE = "canarium.dev/fetching:1"
TRACKING = "canarium.dev/tracking:1"
NAMESPACE, STORES = "fetching", "stores"
SECRET = {"AWS_ACCESS_KEY_ID": "READER", "AWS_SECRET_ACCESS_KEY": "a-secret-of-the-reader"}
WRONG = {"AWS_ACCESS_KEY_ID": "NOBODY", "AWS_SECRET_ACCESS_KEY": "a-secret-of-nobody"}
LARGE = 1_000_000_000
#: What moto needs for other services than S3.
_OTHERS = ("cfn-lint", "sympy", "mpmath", "networkx", "pydantic", "pydantic-core", "graphql-core")
#: Where the disk of the claim is, on the only node.
DISK = {"path": "/var/lib/canarium-e2e", "type": "DirectoryOrCreate"}
#: More than a disk of 32 MiB has.
WIDE = 48_000_000


def moto_layers() -> list[Layer]:
    """Debian's Python with moto."""
    fetch = locked("fetch")
    more = [
        line
        for line in locked("fetch-dev")
        if line not in fetch and line.split("==")[0] not in _OTHERS
    ]
    # The fetcher's own layer is on the node anyway.
    return [images.python_base(), images.pip(fetch), images.pip(more, dependencies=False)]


def tracking_image() -> Image:
    """Debian's Python with an MLflow server that reads and writes S3."""
    return Image(
        TRACKING,
        [
            images.python_base(),
            images.pip(locked("mlflow")),
            images.files({"/app/tracking_server.py": HERE / "tracking_server.py"}),
        ],
        user="1000",
    )


def image(models: Path) -> Image:
    """Moto and a registry; /models/fraud is a model inside the image, and S3 has scikit-learn's of
    the trained `models`.
    """
    return Image(
        IMAGE,
        [
            *moto_layers(),
            images.files(
                {
                    "/usr/local/bin/crane": find("crane"),
                    "/app/s3_server.py": HERE / "s3_server.py",
                    "/app/model.joblib": models / "sklearn" / "model.joblib",
                    "/app/wide.tar.gz": packed({"version": b"one", "weights": bytes(WIDE)}),
                    "/srv/fraud.tar.gz": packed({"version": b"one", "weights": b"w" * 1000}),
                    "/models/fraud/version": "one",
                }
            ),
        ],
        user="1000",
    )


def packed(tree: dict[str, bytes], mode: str = "w:gz") -> bytes:
    """An archive of `tree`."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in tree.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


@dataclass(frozen=True)
class Stores:
    """Where the stores are, seen from pods; `put` changes what S3 has."""

    node: Sandbox
    host: str

    @property
    def s3(self) -> str:
        return f"http://{self.host}:9000"

    @property
    def web(self) -> str:
        return f"http://{self.host}:8000"

    @property
    def tracking(self) -> str:
        return f"http://{self.host}:5001"

    @property
    def registry(self) -> str:
        return f"{self.host}:5000"

    def put(self, path: str, content: bytes) -> None:
        way = self.node.forward(f"{self.host}:9000")
        request = urllib.request.Request(f"{way.url}/{path}", content, method="PUT")
        request.add_header("Content-Type", "application/octet-stream")
        scope = "Credential=WRITER/20260101/us-east-1/s3/aws4_request"
        proof = f"AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0"
        request.add_header("Authorization", proof)
        try:
            urllib.request.urlopen(request, timeout=30).close()
        finally:
            way.close()


def start(node: Sandbox, scratch: Path) -> Stores:
    """Starts the stores' pod and fills the registry and the claim, which is on the node's disk."""
    kinds = [*_namespaces(), *_claim(), _pod()]
    node.kubectl("apply", "-f", "-", stdin=json.dumps({"kind": "List", "apiVersion": "v1",
                                                        "items": kinds}))  # fmt: skip
    node.kubectl("-n", STORES, "wait", "pod/stores", "--for=condition=Ready", "--timeout=180s")
    host = node.kubectl("-n", STORES, "get", "pod", "stores", "-o", "jsonpath={.status.podIP}")
    stores = Stores(node, host)
    _push(stores, scratch)
    return stores


def _push(stores: Stores, scratch: Path) -> None:
    layer = scratch / "layer.tar"
    layer.write_bytes(packed({"version": b"one", "weights": b"w" * 1000}, "w"))
    way = stores.node.forward(stores.registry)
    try:
        where = f"{way.url.removeprefix('http://')}/models/fraud:1"
        command = [str(find("crane")), "append", "-f", str(layer), "-t", where]
        subprocess.run(command, check=True, capture_output=True, timeout=30)
    finally:
        way.close()


def _namespaces() -> list[dict[str, Any]]:
    strict = {"pod-security.kubernetes.io/enforce": "restricted"}
    both = {STORES: {}, NAMESPACE: strict}
    spaces = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
        for name, labels in both.items()
    ]
    secrets = [
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "namespace": NAMESPACE},
            "stringData": data,
        }
        for name, data in (("reader", SECRET), ("nobody", WRONG))
    ]
    return [*spaces, *secrets]


def _claim() -> list[dict[str, Any]]:
    common = {"accessModes": ["ReadOnlyMany"], "storageClassName": ""}
    claim = {**common, "volumeName": "fetching", "resources": {"requests": {"storage": "1Gi"}}}
    volume = {**common, "capacity": {"storage": "1Gi"}, "hostPath": DISK}
    return [
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": "fetching"},
            "spec": volume,
        },
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": "models", "namespace": NAMESPACE},
            "spec": claim,
        },
    ]


def _disk() -> dict[str, Any]:
    """Writes what the claim has. `lost+found` is as in the root of a separate file system."""
    archive = base64.b64encode(packed({"version": b"one"})).decode()
    script = (
        "set -e; cd /disk; mkdir -p fraud/7 lost+found; chmod 700 lost+found; "
        "printf one | tee version > fraud/7/version; "
        f"echo {archive} | base64 -d > fraud.tar.gz; chmod 755 ."
    )
    return {
        "name": "disk",
        "image": IMAGE,
        "command": ["sh", "-c", script],
        "securityContext": {"runAsUser": 0},
        "volumeMounts": [{"name": "disk", "mountPath": "/disk"}],
    }


def _tracking() -> dict[str, Any]:
    """The MLflow server, of which only the database outlives it."""
    environment = {
        "HOME": "/tmp",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_S3_ENDPOINT_URL": "http://127.0.0.1:9000",
        "AWS_ACCESS_KEY_ID": "WRITER",
        "AWS_SECRET_ACCESS_KEY": "a-secret-of-the-writer",
        "AWS_DEFAULT_REGION": "us-east-1",
        # What `mlflow server` passes to its application.
        "_MLFLOW_SERVER_FILE_STORE": "sqlite:////data/mlflow.db",
        "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
        "_MLFLOW_SERVER_ARTIFACT_DESTINATION": "s3://mlflow/proxied",
        "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
    }
    return {
        "name": "mlflow",
        "image": TRACKING,
        "command": ["python3", "/app/tracking_server.py"],
        "env": [{"name": name, "value": value} for name, value in environment.items()],
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
        "readinessProbe": {
            "tcpSocket": {"port": 5001},
            "periodSeconds": 1,
            "failureThreshold": 180,
        },
    }


def _pod() -> dict[str, Any]:
    """Four servers; the volumes `flag` and `data` outlive those of S3 and MLflow, which are to die
    once."""
    large = f"truncate -s {LARGE} /srv/large/weights && printf one > /srv/large/version"
    web = f"{large} && exec python3 -m http.server 8000 --directory /srv"
    wait = {"periodSeconds": 1, "failureThreshold": 60}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "stores", "namespace": STORES},
        "spec": {
            "initContainers": [_disk()],
            "containers": [
                {
                    "name": "s3",
                    "image": IMAGE,
                    "command": ["python3", "/app/s3_server.py"],
                    "volumeMounts": [{"name": "flag", "mountPath": "/flag"}],
                    "readinessProbe": {"tcpSocket": {"port": 9000}, **wait},
                },
                {
                    "name": "web",
                    "image": IMAGE,
                    "command": ["sh", "-c", web],
                    "volumeMounts": [{"name": "large", "mountPath": "/srv/large"}],
                    "readinessProbe": {"tcpSocket": {"port": 8000}, **wait},
                },
                {
                    "name": "registry",
                    "image": IMAGE,
                    "command": ["crane", "registry", "serve", "--address", ":5000"],
                    "readinessProbe": {"tcpSocket": {"port": 5000}, **wait},
                },
                _tracking(),
            ],
            "volumes": [
                {"name": "disk", "hostPath": DISK},
                *({"name": n, "emptyDir": {}} for n in ("flag", "large", "data")),
            ],
            "terminationGracePeriodSeconds": 0,
        },
    }
