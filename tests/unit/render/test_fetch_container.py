"""What a pod gets so that its model is there before its server starts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from canarium.api.reasons import SpecReason
from canarium.render.errors import RuntimeInvalid
from canarium.render.fetch_container import FetcherConfig
from canarium.render.pod import pod_template

KIT = FetcherConfig("fetch:1")
SERVER = {"image": "server:1", "readiness": {"path": "/ready"}}
DIGEST = f"sha256:{'a' * 64}"


def pod(
    kit: FetcherConfig | None = KIT, over: dict[str, Any] | None = None, **model: Any
) -> dict[str, Any]:
    spec = {"model": model, "podTemplate": over or {}}
    found: dict[str, Any] = pod_template("fraud", "rev", spec, SERVER, kit)["spec"]
    return found


def mount(container: dict[str, Any]) -> dict[str, Any]:
    return next(m for m in container["volumeMounts"] if m["name"] == "canarium-model")


@pytest.mark.parametrize("uri", [None, "file:///models/fraud"])
def test_model_in_the_image_is_not_fetched(uri: str | None) -> None:
    assert "initContainers" not in pod(uri=uri)


def test_object_is_fetched_before_the_server_and_mounted_read_only() -> None:
    found = pod(uri="s3://models/fraud/", endpoint="http://s3:9000")
    (fetch,) = found["initContainers"]
    assert fetch["image"] == "fetch:1"
    assert fetch["args"][:3] == ["fetch", "s3://models/fraud/", "/mnt/models"]
    assert fetch["args"][-4:] == [
        "--pin",
        "/etc/canarium/pin/digest",
        "--endpoint",
        "http://s3:9000",
    ]
    server = mount(found["containers"][0])
    assert server == {
        "name": "canarium-model", "mountPath": "/mnt/models", "subPath": "models", "readOnly": True
    }  # fmt: skip
    pin = next(v for v in found["volumes"] if v["name"] == "canarium-pin")
    assert pin["configMap"] == {"name": "fraud-rev", "optional": True}
    assert fetch["securityContext"]["readOnlyRootFilesystem"] is True
    assert "limits" in fetch["resources"]


def test_reserve_of_the_node_disk_is_configurable() -> None:
    words = pod(FetcherConfig("fetch:1", reserve=15), uri="s3://m/f")["initContainers"][0]["args"]
    assert words[words.index("--reserve") + 1] == "15"
    assert "--reserve" not in pod(uri="s3://m/f")["initContainers"][0]["args"]


def test_file_patterns_are_passed_to_the_fetcher() -> None:
    found = pod(uri="hf://m/f", allowPatterns=["*.safetensors", "-x"], ignorePatterns=["a b/"])
    words = found["initContainers"][0]["args"]
    assert words[-3:] == ["--allow=*.safetensors", "--allow=-x", "--ignore=a b/"]


@pytest.mark.parametrize(
    ("key", "source"),
    [
        (
            {"configMapKeyRef": {"name": "keys", "key": "release.pub"}},
            {"configMap": {"name": "keys", "items": [{"key": "release.pub", "path": "key.pem"}]}},
        ),
        (
            {"secretKeyRef": {"name": "keys", "key": "cosign.pub"}},
            {"secret": {"secretName": "keys", "items": [{"key": "cosign.pub", "path": "key.pem"}]}},
        ),
    ],
)
def test_only_the_fetcher_gets_the_one_key_that_verifies_the_model(
    key: dict[str, Any], source: dict[str, Any]
) -> None:
    found = pod(uri="s3://m/f", verify={"key": key, "signature": "-a/b.sig"})
    (fetch,) = found["initContainers"]
    assert fetch["args"][-2:] == ["--key=/etc/canarium/key/key.pem", "--signature=-a/b.sig"]
    seen = {"name": "canarium-key", "mountPath": "/etc/canarium/key", "readOnly": True}
    assert seen in fetch["volumeMounts"]
    assert {"name": "canarium-key", **source} in found["volumes"]
    assert [m["name"] for m in found["containers"][0]["volumeMounts"]] == ["canarium-model"]


def test_fetcher_gets_the_authorities_and_the_identity_that_they_vouch_for() -> None:
    authorities = {"configMapKeyRef": {"name": "keys", "key": "ca.pem"}}
    verify = {"certificateIdentity": "--a@b", "certificateAuthorities": authorities}
    found = pod(uri="s3://m/f", verify=verify)
    assert found["initContainers"][0]["args"][-2:] == [
        "--identity=--a@b",
        "--authorities=/etc/canarium/key/key.pem",
    ]
    items = [{"key": "ca.pem", "path": "key.pem"}]
    source = {"configMap": {"name": "keys", "items": items}}
    assert {"name": "canarium-key", **source} in found["volumes"]


def test_model_without_verification_has_no_key() -> None:
    """So that no pod template changes: an upgrade of the operator restarts nothing."""
    found = json.dumps(pod(uri="s3://m/f"))
    assert "--key" not in found
    assert "canarium-key" not in found
    verified = pod(uri="s3://m/f", verify={"key": {"secretKeyRef": {"name": "k", "key": "p"}}})
    assert not [w for w in verified["initContainers"][0]["args"] if w.startswith("--signature")]


@pytest.mark.parametrize("uri", ["pvc://models/fraud/7", "oci://registry.example/fraud:1"])
def test_model_that_is_mounted_is_verified_in_place(uri: str) -> None:
    key = {"secretKeyRef": {"name": "keys", "key": "p"}}
    found = pod(FetcherConfig("fetch:1", image_volumes=True), uri=uri, verify={"key": key})
    words = found["initContainers"][0]["args"]
    assert {"--in-place", "--key=/etc/canarium/key/key.pem"} <= set(words)


def test_digest_in_the_spec_is_verified_instead_of_a_pin() -> None:
    words = pod(uri="gs://m/f", digest=DIGEST, unpack=False)["initContainers"][0]["args"]
    assert words[words.index("--digest") + 1] == DIGEST
    assert "--pin" not in words
    assert words[-1] == "--no-unpack"


def test_only_the_fetcher_sees_the_secret_and_no_key_can_change_its_process() -> None:
    found = pod(uri="s3://m/f", credentials={"secretName": "s3-read"})
    assert found["initContainers"][0]["envFrom"] == [
        {"prefix": "CANARIUM_CREDENTIAL_", "secretRef": {"name": "s3-read"}}
    ]
    assert "envFrom" not in found["containers"][0]


def test_without_a_secret_the_pods_service_account_is_what_the_fetcher_has() -> None:
    spec = {"model": {"uri": "s3://m/f"}, "pod": {"serviceAccountName": "models-reader"}}
    found = pod_template("fraud", "rev", spec, SERVER, KIT)["spec"]
    assert found["serviceAccountName"] == "models-reader"
    assert found["automountServiceAccountToken"] is True
    assert not found["initContainers"][0].keys() & {"env", "envFrom"}


def test_claim_is_mounted_and_checked_not_copied() -> None:
    found = pod(uri="pvc://models/fraud/7")
    (fetch,) = found["initContainers"]
    assert "--in-place" in fetch["args"]
    assert fetch["args"][2] == "/mnt/claim/fraud/7"
    volume = next(v for v in found["volumes"] if v["name"] == "canarium-model")
    assert volume["persistentVolumeClaim"] == {"claimName": "models", "readOnly": True}
    assert mount(found["containers"][0])["subPath"] == "fraud/7"
    assert mount(fetch)["readOnly"] is True


@pytest.mark.parametrize("name", ["model.pkl", "7/model.tar.gz", "llama.GGUF/"])
def test_one_file_or_an_archive_on_a_claim_is_copied_from_it(name: str) -> None:
    found = pod(uri=f"pvc://models/{name}")
    (fetch,) = found["initContainers"]
    words = fetch["args"]
    assert "--in-place" not in words
    assert words[2] == "/mnt/models"
    assert words[words.index("--claim") + 1] == "/mnt/claim"
    paths = {m["mountPath"]: m for m in fetch["volumeMounts"]}
    assert paths["/mnt/claim"]["readOnly"] is True
    by_name = {v["name"]: v for v in found["volumes"]}
    assert by_name["canarium-model"]["emptyDir"] == {}
    claim = {"claimName": "models", "readOnly": True}
    assert by_name[paths["/mnt/claim"]["name"]]["persistentVolumeClaim"] == claim
    assert paths["/mnt"]["name"] == "canarium-model"
    assert mount(found["containers"][0])["subPath"] == "models"
    assert "/mnt/claim" not in {m["mountPath"] for m in found["containers"][0]["volumeMounts"]}


@pytest.mark.parametrize("name", ["", "fraud/7.1", "v2.0-rc.1", "model", "a.json/b"])
def test_other_paths_of_a_claim_are_folders(name: str) -> None:
    assert "--in-place" in pod(uri=f"pvc://models/{name}")["initContainers"][0]["args"]


def test_artifact_is_pulled_or_mounted_by_configuration() -> None:
    uri = "oci://registry:5000/models/fraud:7"
    pulled = pod(uri=uri)
    assert "--in-place" not in pulled["initContainers"][0]["args"]
    mounted = pod(FetcherConfig("fetch:1", image_volumes=True), uri=uri)
    assert "--in-place" in mounted["initContainers"][0]["args"]
    volume = next(v for v in mounted["volumes"] if v["name"] == "canarium-model")
    assert volume["image"]["reference"] == "registry:5000/models/fraud:7"


def test_mounted_artifact_is_pulled_by_the_kubelet_with_the_models_secret() -> None:
    spec = {
        "model": {"uri": "oci://registry/m:7", "credentials": {"secretName": "registry"}},
        "pod": {"imagePullSecrets": [{"name": "servers"}]},
    }
    kit = FetcherConfig("fetch:1", image_volumes=True)
    found = pod_template("fraud", "rev", spec, SERVER, kit)["spec"]
    assert found["imagePullSecrets"] == [{"name": "registry"}, {"name": "servers"}]
    assert "envFrom" not in found["initContainers"][0]
    pulled = pod_template("fraud", "rev", spec, SERVER, KIT)["spec"]
    assert pulled["imagePullSecrets"] == [{"name": "servers"}]
    assert pulled["initContainers"][0]["envFrom"][0]["secretRef"] == {"name": "registry"}


def test_another_address_of_a_registry_that_the_kubelet_cannot_use_is_refused() -> None:
    kit = FetcherConfig("fetch:1", image_volumes=True)
    model = {"uri": "oci://registry/m:7", "endpoint": "https://mirror"}
    assert "https://mirror" in pod(**model)["initContainers"][0]["args"]
    with pytest.raises(RuntimeInvalid, match=r"spec\.model\.endpoint: .*--oci-volumes") as refused:
        pod(kit, **model)
    assert refused.value.reason == "UnusedEndpoint"


def test_overlay_reaches_the_fetcher_by_its_name() -> None:
    more = {"initContainers": [{"name": "fetch", "resources": {"limits": {"memory": "2Gi"}}}]}
    (fetch,) = pod(over={"spec": more}, uri="hf://o/m")["initContainers"]
    assert fetch["resources"]["limits"]["memory"] == "2Gi"
    assert fetch["image"] == "fetch:1"


@pytest.mark.parametrize(
    ("kit", "uri", "reason"),
    [
        (None, "s3://m/f", "NoFetcher"),
        (KIT, "ftp://m", "UnknownScheme"),
        (KIT, "s3://", "InvalidUri"),
    ],
)
def test_unfetchable_model_is_refused_with_a_reason(
    kit: FetcherConfig | None, uri: str, reason: str
) -> None:
    with pytest.raises(RuntimeInvalid, match=r"spec\.model\.uri") as refused:
        pod(kit, uri=uri)
    assert refused.value.reason == reason


def test_every_reason_for_an_invalid_spec_is_in_the_guide() -> None:
    page = (Path(__file__).parents[3] / "docs" / "guides" / "runtimes.md").read_text()
    assert [reason for reason in SpecReason if f"`{reason.value}`" not in page] == []


def test_platform_configures_the_fetcher_alone() -> None:
    kit = FetcherConfig(
        "fetch:1",
        resources={"limits": {"memory": "2Gi"}},
        security_context={"runAsUser": 1000, "readOnlyRootFilesystem": False},
        environment=(("HTTPS_PROXY", "http://proxy:3128"),),
        pull_secrets=("registry",),
        ca=("corporate-ca", "bundle.pem"),
    )
    found = pod(kit, uri="s3://m/f")
    (fetch,) = found["initContainers"]
    assert fetch["resources"] == {"limits": {"memory": "2Gi"}}
    assert fetch["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": False,
        "runAsUser": 1000,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert fetch["env"] == [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}]
    assert found["imagePullSecrets"] == [{"name": "registry"}]
    assert fetch["args"][fetch["args"].index("--ca") + 1] == "/etc/canarium/ca/ca.crt"
    (volume,) = (v for v in found["volumes"] if v["name"] == "canarium-ca")
    items = [{"key": "bundle.pem", "path": "ca.crt"}]
    assert volume["configMap"] == {"name": "corporate-ca", "items": items}
    seen = [m for m in fetch["volumeMounts"] if m["name"] == "canarium-ca"]
    assert seen == [{"name": "canarium-ca", "mountPath": "/etc/canarium/ca", "readOnly": True}]
    server = found["containers"][0]
    assert "env" not in server
    assert "resources" not in server
    assert "runAsUser" not in server.get("securityContext", {})
    assert "canarium-ca" not in {m["name"] for m in server["volumeMounts"]}


def test_mounted_model_needs_no_certificate_authority() -> None:
    kit = FetcherConfig("fetch:1", ca=("corporate-ca", "ca.crt"))
    found = pod(kit, uri="pvc://claim/f")
    assert "--ca" not in found["initContainers"][0]["args"]
    assert "canarium-ca" not in {volume["name"] for volume in found["volumes"]}


def test_pull_secrets_of_platform_model_and_template_are_all_used() -> None:
    kit = FetcherConfig("fetch:1", image_volumes=True, pull_secrets=("registry",))
    over = {"spec": {"imagePullSecrets": [{"name": "own"}]}}
    found = pod(kit, over, uri="oci://r/m:1", credentials={"secretName": "model"})
    names = {secret["name"] for secret in found["imagePullSecrets"]}
    assert names == {"registry", "model", "own"}
