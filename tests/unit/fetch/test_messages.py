"""Messages of a fetch: no secret, only secrets hidden, and no more than a kubelet keeps."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from canarium.fetch import termination_message
from canarium.fetch.credentials import Redactor, StoreCredentials
from canarium.fetch.errors import ADVICE, FetchError

SECRETS = {
    "s3": {
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "very-secret",
        "AWS_SESSION_TOKEN": "the-session",
    },
    "az": {
        "AZURE_STORAGE_ACCOUNT_KEY": "d3Jvbmc=",
        "AZURE_STORAGE_SAS_TOKEN": "?sv=1&sig=abc",
        "AZURE_STORAGE_CONNECTION_STRING": "AccountName=fraud;AccountKey=c2VjcmV0",
        "AZURE_CLIENT_SECRET": "client-secret",
    },
    "hf": {"HF_TOKEN": "hf_abcdef"},
    "mlflow": {"MLFLOW_TRACKING_TOKEN": "tracking-token", "AWS_SECRET_ACCESS_KEY": "very-secret"},
    "https": {"password": "http-is-no-address", "token": "bearer-token"},
}
PLAIN = {
    "s3": {"AWS_REGION": "eu-central-1", "AWS_ENDPOINT_URL": "https://minio.example"},
    "az": {
        "AZURE_STORAGE_ACCOUNT_NAME": "fraudmodels",
        "AZURE_TENANT_ID": "0000-tenant",
        "AZURE_CLIENT_ID": "1111-client",
    },
    "hf": {},
    "mlflow": {"MLFLOW_TRACKING_USERNAME": "reader"},
    "https": {"username": "reader"},
}


@pytest.mark.parametrize("scheme", SECRETS)
def test_secrets_are_hidden_and_names_are_not(scheme: str) -> None:
    hide = Redactor(StoreCredentials(scheme, {**SECRETS[scheme], **PLAIN[scheme]}))
    for secret in SECRETS[scheme].values():
        assert secret not in hide(f"the store rejects {secret!r} as wrong")
    for word in PLAIN[scheme].values():
        assert word in hide(f"the store rejects {word!r} as wrong")


def test_user_of_an_address_is_hidden_and_model_of_an_alias_is_not() -> None:
    hide = Redactor(StoreCredentials("mlflow"))
    assert hide("https://me:word@host/a") == "https://[hidden]host/a"
    assert hide("mlflow://fraud@champion") == "mlflow://fraud@champion"


def test_part_of_a_connection_string_is_a_secret_too() -> None:
    text = "BlobEndpoint=https://a.example;AccountName=fraud;AccountKey=c2VjcmV0PT0="
    hide = Redactor(StoreCredentials("az", {"AZURE_STORAGE_CONNECTION_STRING": text}))
    assert hide("fraud has no key c2VjcmV0PT0=") == "fraud has no key [hidden]"


def test_account_name_of_a_service_account_key_is_not_hidden() -> None:
    key = {
        "type": "service_account",
        "project_id": "risk-models",
        "client_email": "reader@risk-models.example",
        "private_key_id": "0123456789abcdef",
        "private_key": "-----BEGIN PRIVATE KEY-----\nMIIE\n",
        "something_new": "unknown-words",
    }
    hide = Redactor(StoreCredentials("gs", {"key.json": json.dumps(key)}))
    said = hide(" ".join(key.values()))
    assert "reader@risk-models.example" in said
    for name in ("private_key_id", "private_key", "something_new"):
        assert key[name] not in said


def test_user_name_of_a_registry_login_is_not_hidden() -> None:
    auth = base64.b64encode(b"robot:hunter22").decode()
    config = {"auths": {"registry.example": {"auth": auth, "email": "robot@example"}}}
    hide = Redactor(StoreCredentials("oci", {".dockerconfigjson": json.dumps(config)}))
    assert hide("robot may not pull") == "robot may not pull"
    for word in ("hunter22", auth):
        assert word not in hide(f"refused: {word}")


@pytest.mark.parametrize("letter", ["a", "ü", "𐍈", '"', "\\", "\n", "\x00"])
def test_long_message_is_valid_json_within_the_limit_of_the_kubelet(
    tmp_path: Path, letter: str
) -> None:
    path = tmp_path / "report"
    termination_message.write(path, FetchError("AccessDenied", f"it sends {letter * 5000}"))
    content = path.read_bytes()
    assert 2000 < len(content) <= 4096
    said = json.loads(content)
    assert said["reason"] == "AccessDenied"
    assert said["message"].startswith(f"it sends {letter}")


def test_every_reason_is_in_the_documentation() -> None:
    guide = (Path(__file__).parents[3] / "docs" / "guides" / "models.md").read_text()
    assert [r for r in (*ADVICE, "FetchFailed") if f"`{r}`" not in guide] == []
