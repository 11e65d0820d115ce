"""Reports: what is removed from them, what is never read, and what they contain."""

from __future__ import annotations

import json
import stat
import tarfile
from pathlib import Path
from typing import Any

import pytest

from canarium_cli.report.redaction import redacted, redacted_text
from cli.standin import VERSIONS, Standin

#: Each has to disappear from a report.
SECRETS = (
    "pa55word-of-mine",
    "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl",
    "AKIAIOSFODNN7EXAMPLE",
    "hf_abcdefghijklmnopqrst",
)


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize(
    "form",
    [
        "connecting to postgres://admin:{}@db/models",
        "GET /model?X-Amz-Signature={}&x=1",
        "password={}",
        '"api_key": "{}"',
        "started with --auth-token={} --port=80",
        "Authorization: Bearer {}",
    ],
)
def test_credentials_disappear_from_texts(form: str, secret: str) -> None:
    cleaned = redacted_text(form.format(secret))
    assert secret not in cleaned
    assert "<redacted>" in cleaned


@pytest.mark.parametrize(
    "line",
    [
        "loaded 12 tokens per second",
        "Secret/s3-read is missing",
        "pod/fraud-abc1-x: the server exited with code 3",
    ],
)
def test_ordinary_words_stay(line: str) -> None:
    assert redacted_text(line) == line


def test_values_of_variables_and_tokens_of_annotations_are_removed_and_names_stay() -> None:
    template = {
        "containers": [
            {
                "name": "server",
                "env": [
                    {"name": "MODE", "value": "fast"},
                    {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "s3", "key": "id"}}},
                ],
            }
        ]
    }
    model = {
        "metadata": {
            "name": "fraud",
            "managedFields": [{"manager": "x"}],
            "annotations": {
                "canarium.dev/promote": "abc23456/my-token",
                "canarium.dev/stable": "abc23456",
                "example.com/api-token": "t",
                "kubectl.kubernetes.io/last-applied-configuration": "{}",
            },
        },
        "spec": {
            "model": {"credentials": {"secretName": "s3-read"}},
            "podTemplate": {"spec": template},
            "rollout": {"smokeTests": [{"headers": {"Authorization": "Basic QWxhZGRpbjpvcGVu"}}]},
        },
    }
    clean = redacted(model)
    assert "managedFields" not in clean["metadata"]
    assert clean["metadata"]["annotations"] == {
        "canarium.dev/promote": "abc23456/<redacted>",
        "canarium.dev/stable": "abc23456",
        "example.com/api-token": "<redacted>",
        "kubectl.kubernetes.io/last-applied-configuration": "<redacted>",
    }
    assert clean["spec"]["model"]["credentials"] == {"secretName": "s3-read"}
    server = clean["spec"]["podTemplate"]["spec"]["containers"][0]
    assert server["env"][0] == {"name": "MODE", "value": "<redacted>"}
    assert server["env"][1] == template["containers"][0]["env"][1]
    assert "QWxh" not in json.dumps(clean)


def test_environment_in_a_stored_revision_is_removed() -> None:
    env = [{"name": "TOKEN", "value": "pa55word-of-mine"}]
    record = {"kind": "ControllerRevision", "data": {"template": {"spec": {"env": env}}}}
    assert "pa55word-of-mine" not in json.dumps(redacted(record))
    assert "pa55word-of-mine" not in json.dumps(
        redacted({"kind": "Secret", "data": {"key": "pa55word-of-mine"}})
    )


def _cluster(kubectl: Standin) -> None:
    secret: dict[str, Any] = {"name": "PASSWORD", "value": SECRETS[0]}
    model = {"kind": "ModelDeployment", "metadata": {"name": "fraud", "namespace": "risk"}}
    container = {"name": "server", "restartCount": 1}
    pod = {
        "metadata": {"name": "fraud-a-1"},
        "spec": {"containers": [{"name": "server", "env": [secret]}]},
        "status": {"containerStatuses": [container]},
    }
    kubectl.answers("version", out=VERSIONS)
    kubectl.answers("get", "modeldeployments.canarium.dev", "fraud", out=model)
    kubectl.answers("get", "pods", "--selector=canarium.dev/model=fraud", out=pod)
    kubectl.fails("Error from server (Forbidden): no", "get", "services")
    kubectl.answers("get", out={"kind": "List", "items": []})
    kubectl.answers("logs", out=f"db password={SECRETS[0]}\nready\n")
    kubectl.answers("auth")


def test_archive_has_objects_events_and_logs_and_no_secret(
    kubectl: Standin, tmp_path: Path
) -> None:
    _cluster(kubectl)
    file = tmp_path / "report.tar.gz"
    done = kubectl.run("report", "fraud", "-n", "risk", "-f", str(file))
    assert done.code == 0, done.err
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    contents: dict[str, str] = {}
    with tarfile.open(file) as archive:
        for name in archive.getnames():
            extracted = archive.extractfile(name)
            assert extracted
            contents[name.partition("/")[2]] = extracted.read().decode()
    assert {
        "model.json",
        "events.txt",
        "doctor.json",
        "versions.json",
        "objects/pods.json",
        "objects/controllerrevisions.json",
        "logs/fraud-a-1/server.log",
        "logs/fraud-a-1/server.previous.log",
        "not-readable.txt",
    } <= set(contents)
    assert all(name in done.out for name in contents)
    assert not [name for name, text in contents.items() if SECRETS[0] in text]
    assert "PASSWORD" in contents["objects/pods.json"]
    assert "ready" in contents["logs/fraud-a-1/server.log"]
    assert "objects/services.json" in contents["not-readable.txt"]
    kinds = {kind for call in kubectl.calls if "get" in call for kind in call}
    assert not {"secrets", "secret", "configmaps", "configmap", "cm", "all"} & kinds


def test_file_that_exists_is_not_overwritten(kubectl: Standin, tmp_path: Path) -> None:
    _cluster(kubectl)
    file = tmp_path / "report.tar.gz"
    file.write_text("mine")
    done = kubectl.run("report", "fraud", "-f", str(file))
    assert done.code == 2
    assert "exists already" in done.err
    assert file.read_text() == "mine"


@pytest.mark.parametrize(
    "value",
    [
        {"args": ["serve", "--api-key", "geheim", "--port", "80"]},
        {"env": {"KEY": "geheim"}},
        {"headers": [{"name": "Authorization", "value": "geheim"}]},
        {"httpHeaders": [{"name": "X-Api-Key", "value": "geheim"}]},
        {"uri": "https://a.blob.core.windows.net/m?sv=2024&sig=geheim%3D&se=1"},
        {"connection": "DefaultEndpointsProtocol=https;AccountKey=geheim;EndpointSuffix=x"},
        {"log": "using sk-proj-geheimabcdefghij"},
        {"dbPass": "geheim"},
        {"log": "DB_PASS=geheim"},
    ],
    ids=str,
)
def test_credentials_disappear_from_objects(value: dict[str, Any]) -> None:
    cleaned = json.dumps(redacted(value))
    assert "geheim" not in cleaned
    assert "<redacted>" in cleaned


@pytest.mark.parametrize(
    "value",
    [
        {"args": ["--port", "80", "--model", "fraud"]},
        {"message": "The smoke tests pass: promoted", "passed": "3", "compassed": "x"},
        {"parameters": [{"name": "mode", "value": "fast"}]},
    ],
    ids=str,
)
def test_ordinary_values_of_objects_stay(value: dict[str, Any]) -> None:
    assert redacted(value) == value
