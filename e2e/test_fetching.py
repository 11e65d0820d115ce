"""Models fetched by real pods from real stores, and how fetches fail.

Everything is applied at once and waited for in parallel; the tests then check the results.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from sandbox import Forward, Sandbox
from support.client import Client
from support.docs import documented
from support.images import fetch_image
from support.model_servers.images import MLSERVER, MODELS, mlserver_image, train
from support.signing import KeyPair, key_pair, make_environment, sign
from support.stores.pod import (
    IMAGE,
    LARGE,
    NAMESPACE,
    SECRET,
    STORES,
    WRONG,
    Stores,
    image,
    start,
    tracking_image,
)
from support.stores.trained import register
from support.tracking import TrackingServer

pytestmark = pytest.mark.needs("node disk")
WITHIN = 300.0
REQUESTS = 50
SMALL = {"medium": "Memory", "sizeLimit": "32Mi"}


@dataclass
class Fetching:
    """The models of the namespace: what they were asked to be, and what became of them."""

    node: Sandbox
    stores: Stores
    began: dict[str, float] = field(default_factory=dict)
    durations: dict[str, float] = field(default_factory=dict)
    ways: list[Forward] = field(default_factory=list)
    signer: KeyPair | None = None

    def kubectl(self, *words: str, stdin: str | None = None) -> str:
        return self.node.kubectl("-n", NAMESPACE, *words, stdin=stdin)

    def apply(self, models: dict[str, dict[str, Any]]) -> None:
        items = [body(name, **spec) for name, spec in models.items()]
        whole = {"apiVersion": "v1", "kind": "List", "items": items}
        self.kubectl("apply", "-f", "-", stdin=json.dumps(whole))
        now = time.monotonic()
        self.began.update(dict.fromkeys(models, now))

    def until(self, wanted: dict[str, Callable[[dict[str, Any]], bool]]) -> None:
        """Waits for all at once; each condition receives the status for the present spec."""
        missing, end = dict(wanted), time.monotonic() + WITHIN
        models: dict[str, Any] = {}
        while missing and time.monotonic() < end:
            items = json.loads(self.kubectl("get", "modeldeployment", "-o", "json"))["items"]
            models = {item["metadata"]["name"]: item for item in items}
            for name, holds in list(missing.items()):
                status = models[name].get("status", {})
                fresh = status.get("observedGeneration") == models[name]["metadata"]["generation"]
                if fresh and holds(status):
                    self.durations[name] = time.monotonic() - self.began[name]
                    del missing[name]
            time.sleep(0.2)
        messages = {name: models[name].get("status", {}).get("message") for name in missing}
        pods = self.kubectl("get", "pods", "-o", "wide") if missing else ""
        assert not missing, f"{json.dumps(messages, indent=1)}\n{pods}"

    def status(self, name: str) -> dict[str, Any]:
        model: dict[str, Any] = json.loads(
            self.kubectl("get", "modeldeployment", name, "-o", "json")
        )
        return dict(model["status"])

    def record(self, name: str) -> dict[str, Any]:
        """What the record of the version that serves was made from."""
        which = f"{name}-{self.status(name)['stable']['revision']}"
        record = json.loads(self.kubectl("get", "controllerrevision", which, "-o", "json"))
        return dict(record["data"])

    def images(self, name: str) -> dict[str, str]:
        """Images by container of the serving version, from its Deployment."""
        revision = self.status(name)["stable"]["revision"]
        service = json.loads(self.kubectl("get", "service", name, "-o", "json"))
        images = json.loads(service["metadata"]["annotations"]["canarium.dev/images"])
        return dict(images[revision])

    def log(self, name: str) -> str:
        """What the fetchers of a model have printed, all tries of the present ones."""
        label = f"canarium.dev/model={name}"
        return self.kubectl("logs", "-l", label, "-c", "fetch", "--tail=-1")

    def url(self, name: str) -> str:
        address = self.kubectl("get", "service", name, "-o", "jsonpath={.spec.clusterIP}")
        way = self.node.forward(f"{address}:80")
        self.ways.append(way)
        return f"{way.url}/version"


def body(
    name: str, uri: str, replicas: int = 1, folder: str = "/mnt/models", **spec: Any
) -> dict[str, Any]:
    """A model whose server shows the files of its folder; `model` and others lie over it."""
    model = {"uri": uri, **spec.pop("model", {})}
    serve = ["python3", "-m", "http.server", "8080", "--directory", folder]
    ready = {"path": "/version", "periodSeconds": 1}
    return {
        "apiVersion": "canarium.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": name},
        "spec": {
            "model": model,
            "runtime": {"image": IMAGE, "command": serve, "readiness": ready},
            "scaling": {"replicas": replicas},
            "rollout": {"steps": [{"weight": 50}], "bakeTime": "0s"},
            **spec,
        },
    }


def ready(status: dict[str, Any]) -> bool:
    assert "failure" not in status, status["failure"]
    return {c["type"]: c["status"] for c in status.get("conditions", ())}.get("Ready") == "True"


def not_ready(reason: str) -> Callable[[dict[str, Any]], bool]:
    def holds(status: dict[str, Any]) -> bool:
        ready = {c["type"]: c for c in status.get("conditions", ())}.get("Ready", {})
        return (ready.get("status"), ready.get("reason")) == ("False", reason)

    return holds


def failed(reason: str) -> Callable[[dict[str, Any]], bool]:
    def holds(status: dict[str, Any]) -> bool:
        failure = status.get("failure")
        assert failure is None or failure["reason"] == reason, failure
        return failure is not None

    return holds


def signed_by(name: str) -> dict[str, Any]:
    """`verify` with a key of the ConfigMap that has all of them."""
    return {"key": {"configMapKeyRef": {"name": "model-keys", "key": f"{name}.pub"}}}


VERIFY = signed_by("release")


def put_signed(world: Fetching, folder: Path) -> KeyPair:
    """Puts a signed model into S3, and one that was changed after it was signed; stores the public
    key as the guide describes. Returns the pair of keys."""
    make_environment()
    pair = key_pair(folder, "release")
    for name, content in (("signed", b"one"), ("tampered", b"two")):
        model = folder / name
        model.mkdir()
        (model / "version").write_bytes(content)
        sign(model, pair)
        if name == "tampered":
            (model / "backdoor.py").write_bytes(b"import os")
        for path in model.iterdir():
            world.stores.put(f"models/{name}/{path.name}", path.read_bytes())
    words = documented("docs/guides/signatures.md", "kubectl -n risk create configmap")[2:]
    other = key_pair(folder, "other")
    paths = [word.replace("=release.pub", f"={pair.public}") for word in words]
    world.kubectl(*paths, f"--from-file={other.public}")
    return pair


def good(stores: Stores) -> dict[str, dict[str, Any]]:
    """A model per kind of store, and some that have it hard."""
    reads = {"endpoint": stores.s3, "credentials": {"secretName": "reader"}}
    return {
        "s3": {"uri": "s3://models/fraud/", "model": reads},
        "web": {"uri": f"{stores.web}/fraud.tar.gz"},
        "claim": {"uri": "pvc://models/fraud/7"},
        "whole-claim": {"uri": "pvc://models"},
        "on-a-claim": {"uri": "pvc://models/fraud.tar.gz"},
        "registry": {
            "uri": f"oci://{stores.registry}/models/fraud:1",
            "model": {"endpoint": f"http://{stores.registry}"},
        },
        "inside": {"uri": "file:///models/fraud", "folder": "/models/fraud"},
        "swapped": {"uri": "s3://models/swapped", "model": reads},
        "interrupted": {"uri": "s3://models/large", "model": reads},
        "gigabyte": {"uri": f"{stores.web}/large"},
        "predicting": {
            "uri": "s3://models/sklearn",
            "model": {**reads, "format": "sklearn", "version": "1"},
            "runtime": {"name": "mlserver-sklearn", "image": mlserver_image().tag},
            "scaling": {"replicas": 2},
        },
    }


def later(stores: Stores) -> dict[str, dict[str, Any]]:
    """Models that S3 has once it was started again: until then it forgets what is put.

    Those of MLflow are read through its server, and from the bucket that the server names.
    """
    reads = {"endpoint": stores.s3, "credentials": {"secretName": "reader"}}
    server = {"endpoint": stores.tracking}
    bucket = {**server, "credentials": {"secretName": "bucket-reader"}}
    return {
        "signed": {"uri": "s3://models/signed", "model": {**reads, "verify": VERIFY}},
        "mlflow": {"uri": "mlflow://fraud@champion", "model": server},
        "mlflow-bucket": {"uri": "mlflow://bucket/1", "model": bucket},
        "mlflow-killed": {"uri": "mlflow://large/1", "model": server},
        "followed": {
            "uri": "mlflow://quick@champion",
            "model": {**server, "follow": {"interval": "30s"}},
            "rollout": {"steps": [{"weight": 50, "pause": "5s"}], "bakeTime": "0s"},
        },
    }


def put_registered(world: Fetching) -> None:
    """Registers the models of MLflow, and stores the keys of its bucket with the bucket's address,
    as the guide describes."""
    register(world.stores)
    for name, keys in (("bucket-reader", SECRET), ("bucket-nobody", WRONG)):
        words = [f"--from-literal={key}={value}" for key, value in keys.items()]
        words.append(f"--from-literal=AWS_ENDPOINT_URL={world.stores.s3}")
        world.kubectl("create", "secret", "generic", name, *words)


def hopeless(stores: Stores) -> dict[str, dict[str, Any]]:
    """First versions that do not fit their disk: one has a known size, one is unpacked."""
    volume = {"name": "canarium-model", "emptyDir": SMALL}
    small = {"podTemplate": {"spec": {"volumes": [volume]}}}
    reads = {"endpoint": stores.s3, "credentials": {"secretName": "reader"}}
    return {
        "too-large": {"uri": f"{stores.web}/large", **small},
        "too-wide": {"uri": "s3://models/wide.tar.gz", "model": reads, **small},
    }


#: First versions whose signature is not the one that the spec requires.
UNTRUSTED = {"unsigned": "SignatureMissing", "signed-by-another": "SignatureInvalid"}


def untrusted(stores: Stores) -> dict[str, dict[str, Any]]:
    reads = {"endpoint": stores.s3, "credentials": {"secretName": "reader"}}
    return {
        "unsigned": {"uri": "s3://models/fraud", "model": {**reads, "verify": VERIFY}},
        "signed-by-another": {
            "uri": "s3://models/signed",
            "model": {**reads, "verify": signed_by("other")},
        },
    }


def bad(stores: Stores) -> dict[str, dict[str, Any]]:
    """The next versions of models that serve, each with another fault."""
    known = {**good(stores), **later(stores)}
    nobody = {"endpoint": stores.s3, "credentials": {"secretName": "nobody"}}
    other = {**known["registry"]["model"], "digest": f"sha256:{'0' * 64}"}
    return {
        "s3": {"uri": "s3://models/fraud", "model": {**nobody, "version": "2"}},
        "web": {"uri": f"{stores.web}/nothing.tar.gz"},
        "claim": {"uri": "pvc://models/fraud/8"},
        "signed": {"uri": "s3://models/tampered", "model": known["signed"]["model"]},
        "mlflow": {**known["mlflow"], "uri": "mlflow://fraud/2"},
        "mlflow-bucket": {
            "uri": "mlflow://bucket/1",
            "model": {
                "endpoint": stores.tracking,
                "credentials": {"secretName": "bucket-nobody"},
            },
        },
        "registry": {**known["registry"], "model": other},
    }


REASONS = {
    "s3": "AccessDenied",
    "web": "NotFound",
    "claim": "NotFound",
    "signed": "SignatureInvalid",
    "mlflow": "NotFound",
    "mlflow-bucket": "AccessDenied",
    "registry": "DigestMismatch",
}


@pytest.fixture(scope="module")
def fetched(node: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fetching]:
    """All good models Ready, all hopeless ones failed."""
    node.load([image(train()), fetch_image(), mlserver_image(), tracking_image()])
    stores = start(node, tmp_path_factory.mktemp("claim"))
    world = Fetching(node, stores)
    try:
        world.apply({**good(stores), **hopeless(stores)})
        wanted: dict[str, Callable[[dict[str, Any]], bool]] = dict.fromkeys(good(stores), ready)
        world.until({**wanted, **dict.fromkeys(hopeless(stores), failed("NoSpace"))})
        world.signer = put_signed(world, tmp_path_factory.mktemp("signed"))
        put_registered(world)
        world.apply({**later(stores), **untrusted(stores)})
        refused = {name: failed(reason) for name, reason in UNTRUSTED.items()}
        world.until({**dict.fromkeys(later(stores), ready), **refused})
        yield world
    finally:
        for way in world.ways:
            way.close()
        for name in (NAMESPACE, STORES):
            node.kubectl("delete", "namespace", name, "--wait=false", "--ignore-not-found")
        node.kubectl("delete", "pv", "fetching", "--wait=false", "--ignore-not-found")


@pytest.fixture(scope="module")
def spoiled(fetched: Fetching) -> Iterator[dict[str, Client]]:
    """The same after the next versions were bad, and bytes were swapped; each model's client."""
    clients = {}
    for name in (*bad(fetched.stores), "swapped"):
        url = fetched.url(name)
        clients[name] = Client(url, rate=10)
    try:
        fetched.stores.put("models/swapped/version", b"two")
        fetched.apply(bad(fetched.stores))
        fetched.began["swapped"] = time.monotonic()
        scale = '{"spec":{"scaling":{"replicas":3}}}'
        fetched.kubectl("patch", "modeldeployment", "swapped", "--type=merge", "-p", scale)
        rolled_back = {name: failed(reason) for name, reason in REASONS.items()}
        fetched.until({**rolled_back, "swapped": not_ready("ArtifactChanged")})
        yield clients
    finally:
        for client in clients.values():
            client.stop()


GOOD = [
    *("s3", "web", "claim", "whole-claim", "on-a-claim", "registry", "inside", "signed"),
    *("mlflow", "mlflow-bucket", "mlflow-killed", "followed"),
]


@pytest.mark.parametrize("name", GOOD)
def test_model_is_fetched_from_each_kind_of_store(
    fetched: Fetching, figures: Callable[..., None], name: str
) -> None:
    with urllib.request.urlopen(fetched.url(name), timeout=10) as answer:
        assert answer.read() == b"one"
    artifact = fetched.status(name)["stable"].get("artifact")
    assert bool(artifact) == (name != "inside")
    images = fetched.images(name)
    assert images.keys() == ({"server"} if name == "inside" else {"server", "fetch"})
    assert all("sha256:" in image for image in images.values())
    seconds = f"{fetched.durations[name]:.1f}"
    uri = re.sub(
        r"\d+\.\d+\.\d+\.\d+", "…", {**good(fetched.stores), **later(fetched.stores)}[name]["uri"]
    )
    figures("models from stores", uri=uri, seconds_to_Ready=seconds)


def test_signer_is_in_the_status_and_in_the_record(fetched: Fetching) -> None:
    assert fetched.signer is not None
    stable = fetched.status("signed")["stable"]
    assert stable["signature"]["key"] == fetched.signer.fingerprint
    assert stable["signature"]["subject"] == "signed"
    which = f"signed-{stable['revision']}"
    record = json.loads(fetched.kubectl("get", "controllerrevision", which, "-o", "json"))
    noted = json.loads(record["metadata"]["annotations"]["canarium.dev/signature"])
    assert noted == stable["signature"]
    assert fetched.status("signed")["history"][0]["signature"] == noted


@pytest.mark.rule("R7")
@pytest.mark.parametrize(("name", "reason"), UNTRUSTED.items())
def test_server_never_starts_without_the_signature_that_is_required(
    fetched: Fetching, name: str, reason: str
) -> None:
    status = fetched.status(name)
    assert status["failure"]["reason"] == reason
    assert "stable" not in status
    label = f"canarium.dev/model={name}"
    pods = json.loads(fetched.kubectl("get", "pods", "-l", label, "-o", "json"))["items"]
    servers = [one for pod in pods for one in pod["status"].get("containerStatuses", ())]
    assert servers
    assert not any(one.get("started") or "terminated" in one["state"] for one in servers)


@pytest.mark.rule("R26")
def test_alias_of_mlflow_is_resolved_to_a_version_with_its_run(fetched: Fetching) -> None:
    stable = fetched.status("mlflow")["stable"]
    assert stable["resolved"] == "mlflow://fraud/1"
    assert stable["version"] == "1"
    name, end = f"mlflow-{stable['revision']}", time.monotonic() + 90
    run: dict[str, Any] = {}
    while not run and time.monotonic() < end:
        # The server has been away, so it is asked again.
        record = json.loads(fetched.kubectl("get", "controllerrevision", name, "-o", "json"))
        annotations = record["metadata"].get("annotations", {})
        run = json.loads(annotations.get("canarium.dev/training-run", "{}"))
        time.sleep(0.5)
    assert re.fullmatch("[0-9a-f]{32}", run["runId"])
    assert run["signature"] == {"inputs": [{"name": "amount", "type": "double"}]}


@pytest.mark.rule("R4", "R26")
def test_alias_that_moves_three_times_in_ten_seconds_is_rolled_out_where_it_stays(
    fetched: Fetching, figures: Callable[..., None]
) -> None:
    """The versions in between get no record, no pod and no request."""
    client = Client(fetched.url("followed"), rate=20)
    way = fetched.node.forward(fetched.stores.tracking.removeprefix("http://"))
    moments: list[float] = []
    try:
        server = TrackingServer(way.url)
        for version in ("2", "3", "4"):
            server.point("quick", "champion", version)
            moments.append(time.monotonic())
            note = f"canarium.dev/resolve={version}"
            fetched.kubectl("annotate", "--overwrite", "modeldeployment", "followed", note)
            time.sleep(3)
        # The operator wants the same answer twice, five seconds apart.
        between = [after - before for before, after in pairwise(moments)]
        assert max(between) < 5, f"this machine is too busy to move it so quickly: {between}"
        serves = {"version": "4", "resolved": "mlflow://quick/4"}
        fetched.began["followed"] = moments[-1]
        fetched.until({"followed": lambda s: ready(s) and serves.items() <= s["stable"].items()})
        time.sleep(3)
    finally:
        client.stop()
        way.close()
    status = fetched.status("followed")
    outcomes = [(one.get("version"), one["outcome"]) for one in status["history"]]
    assert outcomes == [("4", "Promoted"), ("1", "Promoted")]
    label = "canarium.dev/model=followed"
    records = json.loads(fetched.kubectl("get", "controllerrevision", "-l", label, "-o", "json"))[
        "items"
    ]
    resolved = {one["data"]["identity"]["resolved"] for one in records}
    assert resolved == {"mlflow://quick/1", "mlflow://quick/4"}
    answers = client.since(0)
    assert set(answers) == {"one", "four"}, (answers, client.faults())
    assert set(client.since(time.monotonic() - 2)) <= {"four"}
    seconds = f"{fetched.durations['followed']:.1f}"
    what = f"mlflow://, alias moved 3 times in {moments[-1] - moments[0]:.1f} s"
    figures("models from stores", uri=what, seconds_to_Ready=seconds)


@pytest.mark.rule("R4")
def test_real_server_predicts_with_the_fetched_model(
    fetched: Fetching, figures: Callable[..., None]
) -> None:
    expected = json.loads((MODELS / "sklearn.json").read_text())
    server = fetched.record("predicting")["runtime"]["server"]
    url = fetched.url("predicting").removesuffix("/version") + server["predictPath"]
    rows = expected["rows"]
    data = [value for row in rows for value in row]
    tensor = {"name": "x", "shape": [len(rows), 4], "datatype": "FP32", "data": data}
    body, right = json.dumps({"inputs": [tensor]}).encode(), 0
    for _ in range(REQUESTS):
        request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            right += json.loads(answer.read())["outputs"][0]["data"] == expected["said"]
    seconds = f"{fetched.durations['predicting']:.1f}"
    what = f"s3://, {MLSERVER[0].replace('==', ' ')}: {right} of {REQUESTS} predictions"
    figures("models from stores", uri=what, seconds_to_Ready=seconds)
    assert right == REQUESTS
    # The bytes that it serves are those that were trained, by the digest of standard tools.
    weights = hashlib.sha256((MODELS / "sklearn" / "model.joblib").read_bytes()).hexdigest()
    line = hashlib.sha256(f"{weights}  model.joblib\n".encode()).hexdigest()
    assert fetched.status("predicting")["stable"]["artifact"] == f"sha256:{line}"


def test_fetch_continues_after_the_store_restarts(
    fetched: Fetching, figures: Callable[..., None]
) -> None:
    assert restarts(fetched)["s3"] == 1
    log = fetched.log("interrupted")
    assert "again in" in log
    assert log.count("s3://models/large: 2 files") == 1, "it must be one and the same process"
    seconds = f"{fetched.durations['interrupted']:.1f}"
    figures("models from stores", uri="s3://, killed and back", seconds_to_Ready=seconds)


def test_fetch_continues_after_the_tracking_server_was_killed(
    fetched: Fetching, figures: Callable[..., None]
) -> None:
    assert restarts(fetched)["mlflow"] == 1
    log = fetched.log("mlflow-killed")
    assert "again in" in log
    assert log.count("mlflow://large/1: 2 files") == 1, "it must be one and the same process"
    seconds = f"{fetched.durations['mlflow-killed']:.1f}"
    figures("models from stores", uri="mlflow://, killed and back", seconds_to_Ready=seconds)


def restarts(fetched: Fetching) -> dict[str, int]:
    """How often each server of the stores' pod was started again."""
    [pod] = json.loads(fetched.node.kubectl("-n", STORES, "get", "pods", "-o", "json"))["items"]
    return {c["name"]: c["restartCount"] for c in pod["status"]["containerStatuses"]}


def test_gigabyte_is_fetched_in_bounded_memory_with_progress(
    fetched: Fetching, figures: Callable[..., None]
) -> None:
    log = fetched.log("gigabyte")
    assert re.search(r"fetched .* of 1\.0 GB \(\d+ %\), .*/s", log), log
    summary = re.search(r"2 files, 1\.0 GB, sha256:\w+, ([\d.]+) s, ([\d.]+) MB of memory", log)
    assert summary, log
    assert float(summary[2]) < 200
    what = (
        f"http://, {LARGE / 1e9:g} GB: {summary[1]} s to fetch, {summary[2]} MB of memory at most"
    )
    seconds = f"{fetched.durations['gigabyte']:.1f}"
    figures("models from stores", uri=what, seconds_to_Ready=seconds)


@pytest.mark.rule("R7")
@pytest.mark.parametrize("name", ["too-large", "too-wide"])
def test_full_disk_is_reported(fetched: Fetching, name: str) -> None:
    failure = fetched.status(name)["failure"]
    assert "are free" in failure["message"]
    assert "provide a larger node disk or volume" in failure["message"]


@pytest.mark.rule("R4", "R7", "R9")
@pytest.mark.parametrize(("name", "reason"), REASONS.items())
def test_version_that_cannot_be_fetched_gets_no_traffic(
    fetched: Fetching, spoiled: dict[str, Client], name: str, reason: str
) -> None:
    status = fetched.status(name)
    assert status["failure"]["reason"] == reason
    assert set(spoiled[name].since(0)) == {"one"}, spoiled[name].faults()
    assert "a-secret-of" not in json.dumps(status)


@pytest.mark.rule("R7")
def test_changed_bytes_during_a_scale_up_start_and_end_nothing(
    fetched: Fetching, spoiled: dict[str, Client]
) -> None:
    status = fetched.status("swapped")
    assert "failure" not in status
    assert status["stable"]["readyReplicas"] == 1
    assert "restore the old content, or create a new version" in status["message"]
    assert set(spoiled["swapped"].since(0)) == {"one"}, spoiled["swapped"].faults()
    # The old bytes are back: the kubelet's next try is let in.
    fetched.stores.put("models/swapped/version", b"one")
    fetched.until({"swapped": ready})
    assert fetched.status("swapped")["stable"]["readyReplicas"] == 3
    assert set(spoiled["swapped"].since(0)) == {"one"}, spoiled["swapped"].faults()
