"""Keys and signatures that cannot be used: named by field, refused in bounded time and memory."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fetch.conftest import Fetcher
from fetch.signatures.conftest import (
    Fetch,
    Serve,
    bundle,
    refused,
)
from fetch.test_web import folder
from support.signing import PYTHON, SIGN, KeyPair, key_pair

# Slow because of OpenSSF's command: a second of CPU time for each signature.
pytestmark = [pytest.mark.rule("R7"), pytest.mark.slow]


def rsa(folder: Path) -> bytes:
    made = folder / "rsa.pem"
    command = ["openssl", "genrsa", "-out", str(made), "2048"]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    command = ["openssl", "rsa", "-in", str(made), "-pubout"]
    return subprocess.run(command, check=True, capture_output=True, timeout=30).stdout


KEY_FILES: dict[str, tuple[Callable[[Path, KeyPair], bytes], str]] = {
    "text": (lambda _, __: b"ssh-rsa AAAA", "is not in PEM format"),
    "empty": (lambda _, __: b"", "is not in PEM format"),
    "cut off": (lambda _, key: key.public.read_bytes()[:100], "is not in PEM format"),
    "second is cut off": (
        lambda _, key: key.public.read_bytes() + key.public.read_bytes()[:100],
        "is not in PEM format",
    ),
    "damaged": (
        lambda _, key: key.public.read_bytes().replace(b"M", b"N", 1),
        "has no valid public key (block 1, PUBLIC KEY)",
    ),
    "private": (lambda _, key: key.private.read_bytes(), "has a private key (block 1)"),
    "RSA": (lambda folder, _: rsa(folder), "P-256, P-384 and P-521"),
    "another curve": (
        lambda folder, _: key_pair(folder, "k", "secp256k1").public.read_bytes(),
        "secp256k1",
    ),
    "too many": (lambda _, key: key.public.read_bytes() * 33, "33 keys"),
    "too large": (lambda _, __: b"x" * ((1 << 20) + 1), "larger than 1 MiB"),
}


@pytest.mark.parametrize("case", KEY_FILES)
def test_key_that_cannot_be_used_is_named_by_its_field(
    fetch: Fetch, fetcher: Fetcher, tmp_path: Path, key: KeyPair, case: str
) -> None:
    content, words = KEY_FILES[case]
    public = tmp_path / "key"
    public.write_bytes(content(tmp_path, key))
    done = fetch(public)
    refused(done, fetcher, "InvalidVerificationKey", "spec.model.verify.key", words)
    assert "PRIVATE KEY-" not in done.output


BUNDLES: dict[str, tuple[Callable[[dict[str, Any]], bytes], str]] = {
    "not JSON": (lambda _: b"\x00\xff" * 100, "not valid JSON"),
    "empty": (lambda _: b"", "not valid JSON"),
    "a list": (lambda _: b"[]", "not a JSON object"),
    "nested": (lambda _: b"[" * (4 << 20), "not valid JSON"),
    "digits": (lambda _: b"9" * (4 << 20), "not valid JSON"),
    "many lists": (lambda _: b"[" + b"[]," * ((4 << 20) // 3 - 2) + b"[]]", "not a JSON object"),
    "many keys": (
        lambda _: json.dumps({str(n): [] for n in range(300_000)}).encode(),
        "no valid field 'mediaType'",
    ),
    "too large": (lambda _: b" " * ((4 << 20) + 1), "larger than 4 MiB"),
    "other format": (
        lambda b: dumped(b, mediaType="application/x"),
        "has the format application/x",
    ),
    "certificate": (
        lambda b: dumped(b, verificationMaterial={"certificate": {"rawBytes": ""}}),
        "was made with a certificate",
    ),
    "no envelope": (lambda b: dumped(b, dsseEnvelope=None), "no valid field 'dsseEnvelope'"),
    "no signature": (lambda b: enveloped(b, signatures=[]), "0 signatures instead of one"),
    "not base64": (lambda b: enveloped(b, payload="%"), "not valid base64"),
    "other payload": (lambda b: enveloped(b, payloadType="text/plain"), "the payload of"),
    "garbage": (
        lambda b: enveloped(b, signatures=[{"sig": base64.b64encode(os.urandom(72)).decode()}]),
        "not one of the keys",
    ),
}


def dumped(content: dict[str, Any], **over: Any) -> bytes:
    return json.dumps({**content, **over}).encode()


def enveloped(content: dict[str, Any], **over: Any) -> bytes:
    return dumped(content, dsseEnvelope={**content["dsseEnvelope"], **over})


@pytest.mark.parametrize("case", BUNDLES)
def test_damaged_or_hostile_signature_is_refused_in_bounded_time_and_memory(
    fetcher: Fetcher, serve: Serve, model: Path, key: KeyPair, case: str
) -> None:
    content, words = BUNDLES[case]
    (model / "model.sig").write_bytes(content(bundle(model)))
    began = time.monotonic()
    # Data of 400 MiB at most: the container's limit is 512.
    done = fetcher.run(
        f"{serve(folder(model.parent))}/fraud/",
        f"--key={key.public}",
        before=("prlimit", f"--data={400 << 20}"),
    )
    refused(done, fetcher, "SignatureInvalid", words)
    assert time.monotonic() - began < 20


SIGNED: dict[str, tuple[dict[str, Any], str]] = {
    "other type": ({"_type": "x"}, "not of type https://in-toto.io/Statement/v1"),
    "other predicate": ({"predicateType": "x"}, "not of type https://model_signing"),
    "no subject": ({"subject": []}, "0 subjects"),
    "other digest": ({"subject": [{"name": "f", "digest": {"sha256": "0"}}]}, "does not match"),
    "shards": ({"predicate": {"serialization": {"method": "shards"}}}, "shards, not whole files"),
    "no files": ({"predicate": {"serialization": {"method": "files"}}}, "'resources'"),
    "text for a file": ({"resources": ["x"]}, "no valid field 'name'"),
    "other hash": (
        {"resources": [{"name": "a", "algorithm": "blake3", "digest": "00"}]},
        "by blake3, not by sha256",
    ),
    "twice": (
        {"resources": [{"name": "a", "algorithm": "sha256", "digest": "0" * 64}] * 2},
        "lists 'a' twice",
    ),
}
SIGN_STATEMENT = """
import base64, json, sys
from pathlib import Path
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
key = serialization.load_pem_private_key(Path(sys.argv[1]).read_bytes(), None)
payload, kind = Path(sys.argv[2]).read_bytes(), b"application/vnd.in-toto+json"
signed = b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)
print(base64.b64encode(key.sign(signed, ec.ECDSA(hashes.SHA256()))).decode())
"""


@pytest.mark.parametrize("case", SIGNED)
def test_signed_statement_that_is_not_supported_is_refused(
    fetch: Fetch, fetcher: Fetcher, model: Path, tmp_path: Path, key: KeyPair, case: str
) -> None:
    over, words = SIGNED[case]
    content = bundle(model)
    statement = json.loads(base64.b64decode(content["dsseEnvelope"]["payload"]))
    if "resources" in over:
        statement["predicate"]["resources"] = over["resources"]
    else:
        statement.update(over)
    payload = tmp_path / "payload"
    payload.write_text(json.dumps(statement))
    command = [str(PYTHON), "-c", SIGN_STATEMENT, str(key.private), str(payload)]
    signature = subprocess.run(command, check=True, capture_output=True, text=True, timeout=30)
    encoded = base64.b64encode(payload.read_bytes()).decode()
    (model / "model.sig").write_bytes(
        enveloped(content, payload=encoded, signatures=[{"sig": signature.stdout.strip()}])
    )
    refused(fetch(key.public), fetcher, "SignatureInvalid", words)


def test_signature_of_a_single_file_is_refused_with_the_remedy(
    fetch: Fetch, fetcher: Fetcher, model: Path, key: KeyPair
) -> None:
    alone = model.parent / "alone"
    alone.mkdir()
    (alone / "weights").write_bytes(b"w")
    command = [SIGN, "sign", "key", str(alone / "weights")]
    keyed = ["--private_key", str(key.private), "--signature", str(alone / "model.sig")]
    subprocess.run([*command, *keyed], check=True, capture_output=True, timeout=60)
    refused(fetch(key.public, path="alone/"), fetcher, "SignatureInvalid", "sign its folder")
