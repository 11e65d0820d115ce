"""Pods of every built-in runtime, and what a model's own fields do to a pod."""

from __future__ import annotations

import http.server
import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from canarium.render.errors import RuntimeInvalid
from canarium.render.pod import overlay, pod_template
from canarium.render.runtime import context, server
from canarium.render.runtime_catalog import built_in
from render import golden

ALL = sorted(built_in())
BARE = {"image": "own:1", "readiness": {"path": "/ready"}}


def pod(spec: dict[str, Any] | None = None, **own: Any) -> dict[str, Any]:
    return pod_template("m", "rev", spec or {}, {**BARE, **own})["spec"]


def container(spec: dict[str, Any] | None = None, **own: Any) -> dict[str, Any]:
    found: dict[str, Any] = pod(spec, **own)["containers"][0]
    return found


@pytest.mark.parametrize("name", ALL)
def test_built_in_runtime_renders_its_golden_file(name: str) -> None:
    assert golden.text(name) == (golden.FOLDER / f"{name}.yaml").read_text()


def test_no_golden_file_without_its_runtime() -> None:
    assert sorted(path.stem for path in golden.FOLDER.glob("*.yaml")) == ALL


@pytest.mark.parametrize("name", [name for name in ALL if name != "custom"])
def test_built_in_runtime_is_complete(name: str) -> None:
    spec = built_in()[name].spec
    assert spec["readiness"]
    assert "tcp" not in spec["readiness"]
    assert spec["predictPath"].startswith("/")
    assert spec["protocol"] in ("V1", "V2", "OpenAI", "Other")
    for measured in ("requests", "errors", "latency"):
        assert spec["metrics"][measured], measured


@pytest.mark.parametrize("name", ["mlserver-sklearn", "kserve-sklearn", "triton"])
def test_readiness_probe_requests_the_path_of_the_model(name: str) -> None:
    probe = golden.rendered(name)["spec"]["containers"][0]["readinessProbe"]
    assert probe["httpGet"]["path"] == "/v2/models/fraud/ready"


@pytest.mark.parametrize("name", ["vllm", "text-generation-inference"])
def test_servers_on_torch_run_as_a_number_that_no_user_has(name: str) -> None:
    """Torch asks for its user's name when it is imported: by variables, else by /etc/passwd."""
    pod = golden.rendered(name)["spec"]
    assert pod["securityContext"]["runAsUser"] == 1000
    env = {variable["name"]: variable["value"] for variable in pod["containers"][0]["env"]}
    nobody = "import getpass, pwd; pwd.getpwuid = None; print(getpass.getuser())"
    asked = subprocess.run(
        [sys.executable, "-S", "-c", nobody], env=env, capture_output=True, check=False, text=True
    )
    assert asked.returncode == 0, asked.stderr
    assert env["TORCHINDUCTOR_CACHE_DIR"].startswith(f"{env['HOME']}/")


@pytest.mark.parametrize("name", ALL)
def test_built_in_image_has_a_fixed_version(name: str) -> None:
    image = built_in()[name].spec.get("image")
    assert image is None or re.search(r":[^/:]*\d[^/:]*$", image)


@pytest.mark.parametrize("uri", [None, "s3://models/fraud/", "pvc://models/fraud"])
def test_llama_cpp_does_not_receive_a_folder(uri: str | None) -> None:
    spec = {"model": {"uri": uri, "format": "gguf"}}
    with pytest.raises(RuntimeInvalid, match=r"set spec\.runtime\.parameters\.file") as refused:
        server("fraud", "risk", spec, built_in()["llama-cpp"])
    assert refused.value.reason == "TemplateInvalid"
    inside = {"model": {"uri": "file:///models/small.gguf", "format": "gguf"}}
    assert "/models/small.gguf" in server("fraud", "risk", inside, built_in()["llama-cpp"])["args"]


@pytest.mark.parametrize(
    ("status", "counted"),
    [("OK", False), ("OUT_OF_RANGE", True), ("UNAVAILABLE", True), ("INTERNAL", True)],
)
def test_tensorflow_serving_counts_every_status_but_ok_as_an_error(
    status: str, counted: bool
) -> None:
    errors = built_in()["tensorflow-serving"].spec["metrics"]["errors"]
    assert bool(re.fullmatch(errors["labels"]["status"], status)) is counted


def test_pods_are_restricted_and_mount_no_token() -> None:
    found = pod()
    assert found["securityContext"]["runAsNonRoot"] is True
    assert found["containers"][0]["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert found["automountServiceAccountToken"] is False
    assert found["enableServiceLinks"] is False


def test_startup_probe_keeps_others_from_ending_a_server_that_loads() -> None:
    assert "startupProbe" not in container()
    patient = container(liveness={"path": "/live"}, startupBudget="30m")
    assert patient["startupProbe"]["httpGet"]["path"] == "/ready"
    assert patient["startupProbe"]["failureThreshold"] * patient["startupProbe"][
        "periodSeconds"
    ] == (30 * 60)
    assert patient["livenessProbe"]["httpGet"]["path"] == "/live"


@pytest.mark.parametrize(
    ("probe", "key", "how"),
    [
        ({"exec": ["true"]}, "exec", {"command": ["true"]}),
        ({"tcp": True, "port": 9}, "tcpSocket", {"port": 9}),
        ({"grpc": "m", "port": 9}, "grpc", {"port": 9, "service": "m"}),
        ({"grpc": "", "port": 9}, "grpc", {"port": 9}),
        ({"path": "/x", "port": 9}, "httpGet", {"path": "/x", "port": 9}),
    ],
)
def test_probe_of_each_kind(probe: dict[str, Any], key: str, how: dict[str, Any]) -> None:
    assert container(readiness=probe)["readinessProbe"][key] == how


@pytest.mark.parametrize("own", [{}, {"port": 9000}])
def test_grpc_probe_asks_the_servers_port_unless_it_names_another(own: dict[str, Any]) -> None:
    # Only numbers may stand in a gRPC probe; the server's port has the name http elsewhere.
    found = container(readiness={"grpc": ""}, **own)
    assert found["readinessProbe"]["grpc"]["port"] == found["ports"][0]["containerPort"]


def test_curated_fields_of_a_pod() -> None:
    own = {
        "nodeSelector": {"gpu": "yes"},
        "tolerations": [{"key": "gpu", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "topologySpread": [{"topologyKey": "zone"}],
        "priorityClassName": "high",
        "runtimeClassName": "nvidia",
        "serviceAccountName": "reader",
        "imagePullSecrets": [{"name": "registry"}],
        "volumes": [
            {
                "name": "l",
                "mountPath": "/l",
                "readOnly": True,
                "source": {"configMap": {"name": "c"}},
            }
        ],
        "runAsUser": 7,
        "fsGroup": 8,
        "terminationGracePeriodSeconds": 90,
    }
    found = pod({"pod": own, "resources": {"limits": {"nvidia.com/gpu": 1}}})
    for same in ("nodeSelector", "tolerations", "affinity", "priorityClassName"):
        assert found[same] == own[same]
    assert found["runtimeClassName"] == "nvidia"
    assert found["imagePullSecrets"] == [{"name": "registry"}]
    assert found["automountServiceAccountToken"] is True
    assert found["terminationGracePeriodSeconds"] == 90
    assert found["securityContext"]["runAsUser"] == 7
    assert found["securityContext"]["runAsNonRoot"] is True
    assert found["volumes"] == [{"name": "l", "configMap": {"name": "c"}}]
    mounts = found["containers"][0]["volumeMounts"]
    assert mounts == [{"name": "l", "mountPath": "/l", "readOnly": True}]
    assert found["containers"][0]["resources"] == {"limits": {"nvidia.com/gpu": 1}}
    spread = found["topologySpreadConstraints"][0]
    assert spread["maxSkew"] == 1
    assert spread["labelSelector"]["matchLabels"]["canarium.dev/revision"] == "rev"


def test_pods_prefer_different_zones_then_nodes() -> None:
    zone, node = pod({})["topologySpreadConstraints"]
    assert zone["topologyKey"] == "topology.kubernetes.io/zone"
    assert node["topologyKey"] == "kubernetes.io/hostname"
    for constraint in (zone, node):
        assert constraint["whenUnsatisfiable"] == "ScheduleAnyway"
        selected = constraint["labelSelector"]["matchLabels"]
        assert selected["canarium.dev/model"] == "m"
        assert selected["canarium.dev/revision"] == "rev"


OWN_SPREAD = [{"topologyKey": "rack", "maxSkew": 2, "whenUnsatisfiable": "DoNotSchedule"}]


@pytest.mark.parametrize("own", [OWN_SPREAD, []])
def test_own_spread_of_a_model_or_its_runtime_replaces_the_default(own: list[Any]) -> None:
    overlaid = {"spec": {"topologySpreadConstraints": own}}
    assert pod({"podTemplate": overlaid})["topologySpreadConstraints"] == own
    assert pod({}, podTemplate=overlaid)["topologySpreadConstraints"] == own
    curated = pod({"pod": {"topologySpread": own}})["topologySpreadConstraints"]
    assert [c["topologyKey"] for c in curated] == [c["topologyKey"] for c in own]


def test_pod_has_its_claims_and_the_server_uses_them() -> None:
    claims = [{"name": "gpu", "resourceClaimTemplateName": "large-gpu"}]
    used = [{"name": "gpu", "request": "gpu"}]
    found = pod({"pod": {"resourceClaims": claims}, "resources": {"claims": used}})
    assert found["resourceClaims"] == claims
    assert found["containers"][0]["resources"] == {"claims": used}
    # A claim of the runtime's overlay is kept beside those of the model.
    shared = {"name": "nic", "resourceClaimName": "nics"}
    overlaid = {"spec": {"resourceClaims": [shared]}}
    assert pod({"pod": {"resourceClaims": claims}}, podTemplate=overlaid)["resourceClaims"] == [
        shared,
        *claims,
    ]


def test_example_with_a_claim_renders_its_golden_file() -> None:
    assert golden.example("gpu-claim") == (golden.EXAMPLES / "gpu-claim.yaml").read_text()


@pytest.mark.parametrize(
    ("spec", "gpus"),
    [
        ({"resources": {"limits": {"nvidia.com/gpu": 2}}}, 2),
        ({"resources": {"claims": [{"name": "gpu"}]}}, 0),
        ({"resources": {"claims": [{"name": "gpu"}]}, "runtime": {"parameters": {"gpus": "4"}}}, 4),
        ({"runtime": {"parameters": {"gpus": "many"}}}, 0),
    ],
)
def test_number_of_gpus_is_requested_or_stated(spec: dict[str, Any], gpus: int) -> None:
    assert context("m", "ns", spec)["resources"]["gpus"] == gpus


def test_overlay_of_the_model_takes_precedence() -> None:
    runtime = {"spec": {"securityContext": {"runAsUser": 1000}, "nodeSelector": {"a": "runtime"}}}
    spec = {
        "pod": {"runAsUser": 2000},
        "podTemplate": {
            "metadata": {"annotations": {"a": "b"}},
            "spec": {
                "nodeSelector": {"a": "model"},
                "containers": [{"name": "server", "stdin": True}, {"name": "side", "image": "s"}],
            },
        },
    }
    found = pod(spec, podTemplate=runtime)
    assert found["securityContext"]["runAsUser"] == 2000
    assert found["nodeSelector"] == {"a": "model"}
    assert [c["name"] for c in found["containers"]] == ["server", "side"]
    assert found["containers"][0]["image"] == "own:1"
    assert found["containers"][0]["stdin"] is True


def test_overlay_changes_neither_side() -> None:
    base, over = {"a": [{"name": "x", "b": 1}]}, {"a": [{"name": "x", "c": {"d": 1}}]}
    laid = overlay(base, over)
    laid["a"][0]["c"]["d"] = 2
    assert over == {"a": [{"name": "x", "c": {"d": 1}}]}
    assert base == {"a": [{"name": "x", "b": 1}]}


@pytest.fixture
def tensorflow() -> Iterator[dict[str, str]]:
    """Answers 200 in every state, as TensorFlow Serving does; at the port of its runtime."""
    state = {"state": "LOADING"}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            version = {"version": "1", **state, "status": {"error_code": "OK"}}
            body = json.dumps({"model_version_status": [version]}, indent=1).encode()
            self.send_response(200 if self.path == "/v1/models/fraud" else 404)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    served = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=served.serve_forever, args=(0.02,), daemon=True).start()
    state["port"] = str(served.server_port)
    yield state
    served.shutdown()
    served.server_close()


def test_tensorflow_is_ready_by_its_state_and_not_by_its_answer(
    tensorflow: dict[str, str],
) -> None:
    command = golden.rendered("tensorflow-serving")["spec"]["containers"][0]["readinessProbe"][
        "exec"
    ]["command"]
    port = tensorflow.pop("port")
    here = [word.replace("/8080", f"/{port}") for word in command]

    def ready() -> bool:
        return subprocess.run(here, check=False, capture_output=True, timeout=10).returncode == 0

    assert not ready()
    tensorflow["state"] = "AVAILABLE"
    assert ready()
    tensorflow["state"] = "END"
    assert not ready()


def test_overlay_keeps_every_mount_of_one_volume() -> None:
    mounts = [
        {"name": "data", "mountPath": "/a", "subPath": "a"},
        {"name": "data", "mountPath": "/b", "subPath": "b"},
    ]
    laid = {"spec": {"containers": [{"name": "server", "volumeMounts": mounts}]}}
    found = container({"podTemplate": laid}, sharedMemory="1Gi")
    assert found["volumeMounts"] == [{"name": "shm", "mountPath": "/dev/shm"}, *mounts]


def test_overlay_changes_the_mount_at_a_path() -> None:
    own = {"volumes": [{"name": "l", "mountPath": "/l", "readOnly": True, "source": {}}]}
    laid = {"name": "server", "volumeMounts": [{"name": "other", "mountPath": "/l"}]}
    found = container({"pod": own, "podTemplate": {"spec": {"containers": [laid]}}})
    assert found["volumeMounts"] == [{"name": "other", "mountPath": "/l", "readOnly": True}]
