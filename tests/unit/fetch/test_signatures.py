"""Signed models: made by OpenSSF's library, served over HTTP, and verified by the fetcher."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import tarfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from canarium.core.facts.pods import Container, Pod
from core.cluster import Cluster, spec
from fetch.conftest import Fetcher, Outcome
from fetch.test_web import folder
from support.docs import blocks
from support.signing import PYTHON, SIGN, KeyPair, key_pair, library_accepts, make_environment, sign

# Slow because of OpenSSF's command: a second of CPU time for each signature.
pytestmark = [pytest.mark.rule("R7"), pytest.mark.slow]
Serve = Callable[[Any], str]


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    make_environment()
    return tmp_path_factory.mktemp("keys")


@pytest.fixture(scope="module")
def key(keys: Path) -> KeyPair:
    return key_pair(keys, "release")


@pytest.fixture(scope="module")
def other(keys: Path) -> KeyPair:
    return key_pair(keys, "other")


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory, key: KeyPair) -> Path:
    """A folder that `key` has signed."""
    model = tmp_path_factory.mktemp("signed") / "fraud"
    (model / "tokenizer").mkdir(parents=True)
    (model / "weights").write_bytes(os.urandom(3 << 20))
    (model / "tokenizer" / "wörds.json").write_text("{}")
    sign(model, key)
    return model


@pytest.fixture
def model(tmp_path: Path, original: Path) -> Path:
    """A copy of the signed folder that a test may change."""
    copy = tmp_path / "root" / "fraud"
    shutil.copytree(original, copy, symlinks=True)
    return copy


@pytest.fixture
def fetch(fetcher: Fetcher, serve: Serve, model: Path) -> Callable[..., Outcome]:
    """Fetches `fraud/`, or another path beside it, over HTTP with the public key in a file."""

    def run(public: Path, *options: str, path: str = "fraud/") -> Outcome:
        return fetcher.run(f"{serve(folder(model.parent))}/{path}", f"--key={public}", *options)

    return run


Fetch = Callable[..., Outcome]


def refused(done: Outcome, fetcher: Fetcher, reason: str, *words: str) -> None:
    assert (done.code, done.reason) == (10, reason), done.output
    for word in words:
        assert word in done.report["message"], done.report["message"]
    assert not fetcher.target.exists(), "the server would get a model that is not verified"


@pytest.mark.parametrize("curve", ["prime256v1", "secp384r1", "secp521r1"])
def test_signed_model_is_fetched_and_its_signer_is_reported(
    fetch: Fetch, fetcher: Fetcher, model: Path, keys: Path, curve: str
) -> None:
    pair = key_pair(keys, curve, curve)
    (model / "model.sig").unlink()
    sign(model, pair)
    done = fetch(pair.public)
    assert done.code == 0, done.output
    statement = json.loads(base64.b64decode(bundle(model)["dsseEnvelope"]["payload"]))
    assert done.report["signature"] == {
        "key": pair.fingerprint,
        "subject": "fraud",
        "digest": f"sha256:{statement['subject'][0]['digest']['sha256']}",
    }
    assert fetcher.files().keys() == {"weights", "tokenizer/wörds.json", "model.sig"}
    assert library_accepts(model, pair)


def bundle(model: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((model / "model.sig").read_text())
    return content


def test_commands_of_the_guide_make_a_signature_that_is_accepted(
    fetch: Fetch, model: Path, keys: Path
) -> None:
    (model / "model.sig").unlink()
    lines = [line for line in blocks("docs/guides/signatures.md")
             if line.startswith(("openssl ", "model_signing ", "sha256sum "))]  # fmt: skip
    assert [line.split()[0] for line in lines] == [
        "openssl", "openssl", "model_signing", "model_signing", "sha256sum"
    ]  # fmt: skip
    around = {**os.environ, "PATH": f"{PYTHON.parent}:{os.environ['PATH']}"}
    printed = ""
    for line in lines:
        done = subprocess.run(line, shell=True, cwd=model.parent, env=around, check=True,
                              capture_output=True, text=True, timeout=60)  # fmt: skip
        printed = done.stdout
    report = fetch(model.parent / "release.pub").report
    assert report["signature"]["key"] == f"sha256:{printed.split()[0]}"


def test_model_without_verification_reports_no_signature(fetcher: Fetcher, serve: Serve,
                                                         model: Path) -> None:  # fmt: skip
    done = fetcher.run(f"{serve(folder(model.parent))}/fraud/")
    assert done.code == 0, done.output
    assert "signature" not in done.report


def tamper(model: Path) -> None:
    with (model / "weights").open("r+b") as weights:
        weights.write(b"x")


def add(model: Path) -> None:
    (model / "tokenizer" / "backdoor.py").write_text("import os")


def remove(model: Path) -> None:
    (model / "tokenizer" / "wörds.json").unlink()


def rename(model: Path) -> None:
    (model / "weights").rename(model / "Weights")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (tamper, ("changed after the model was signed: weights",)),
        (add, ("does not cover: tokenizer/backdoor.py", "spec.model.ignorePatterns")),
        (remove, ("signed files that are missing: tokenizer/wörds.json",)),
        (rename, ("signed files that are missing: weights",)),
    ],
)
def test_model_that_differs_from_what_was_signed_is_refused(
    fetch: Fetch,
    fetcher: Fetcher,
    model: Path,
    key: KeyPair,
    change: Callable[[Path], None],
    words: tuple[str, ...],
) -> None:
    change(model)
    refused(fetch(key.public), fetcher, "SignatureInvalid", *words)
    assert not library_accepts(model, key)


@pytest.mark.rule("R7", "R8", "R9")
def test_version_with_an_invalid_signature_is_rolled_back_and_stable_serves(
    fetch: Fetch, model: Path, key: KeyPair
) -> None:
    """With the report of a real fetch as the termination message of the pods of version 2."""
    add(model)
    done = fetch(key.public)

    class Tampered(Cluster):
        def _fetched(self, pod: Pod) -> Pod:
            if self.version(pod.revision) == "1":
                return super()._fetched(pod)
            ended = {"terminated": "Error", "exit_code": done.code}
            report = json.dumps(done.report)
            return replace(pod, containers=(Container("fetch", True, message=report, **ended),))

    cluster = Tampered(spec("1", model={"version": "1", "uri": "s3://models/fraud/7"})).run(30)
    cluster.spec = spec("2", model={"version": "2", "uri": "s3://models/fraud/8"})
    served = [cluster.serving()]
    for _ in range(60):
        served.append(cluster.run(1).serving())
    assert cluster.status.phase == "RolledBack"
    assert cluster.status.failure is not None
    assert cluster.status.failure.reason == "SignatureInvalid"
    assert "tokenizer/backdoor.py" in cluster.status.failure.message
    assert served == [{"1": 3}] * 61


def test_file_that_the_signer_ignored_is_refused(
    fetch: Fetch, fetcher: Fetcher, model: Path, key: KeyPair
) -> None:
    """The library itself accepts this, because the signed statement lists `.git*` as ignored."""
    (model / ".gitattributes").write_text("*.bin filter=lfs")
    assert library_accepts(model, key)
    refused(fetch(key.public), fetcher, "SignatureInvalid", "does not cover: .gitattributes")
    assert fetch(key.public, "--ignore=.gitattributes").code == 0
    (model / "model.sig").unlink()
    sign(model, key, "--no-ignore-git-paths")
    assert fetch(key.public).code == 0


def test_signature_by_another_key_is_refused(
    fetch: Fetch, fetcher: Fetcher, key: KeyPair, other: KeyPair
) -> None:
    done = fetch(other.public)
    refused(done, fetcher, "SignatureInvalid", key.fingerprint, other.fingerprint,
            "spec.model.verify.key")  # fmt: skip


def test_signature_that_only_names_the_key_is_refused(
    fetch: Fetch, fetcher: Fetcher, model: Path, key: KeyPair, other: KeyPair
) -> None:
    (model / "model.sig").unlink()
    sign(model, other)
    forged = bundle(model)
    forged["verificationMaterial"]["publicKey"]["hint"] = key.fingerprint.removeprefix("sha256:")
    (model / "model.sig").write_text(json.dumps(forged))
    refused(fetch(key.public), fetcher, "SignatureInvalid", "not one of the keys")
    del forged["verificationMaterial"]["publicKey"]["hint"]
    (model / "model.sig").write_text(json.dumps(forged))
    refused(fetch(key.public), fetcher, "SignatureInvalid", "not one of the keys")


def test_statement_that_was_changed_is_refused(
    fetch: Fetch, fetcher: Fetcher, model: Path, key: KeyPair
) -> None:
    tamper(model)
    forged = bundle(model)
    envelope = forged["dsseEnvelope"]
    statement = json.loads(base64.b64decode(envelope["payload"]))
    statement["predicate"]["resources"] = []
    envelope["payload"] = base64.b64encode(json.dumps(statement).encode()).decode()
    (model / "model.sig").write_text(json.dumps(forged))
    refused(fetch(key.public), fetcher, "SignatureInvalid", "not one of the keys")


def test_model_without_a_signature_is_refused(
    fetch: Fetch, fetcher: Fetcher, model: Path, key: KeyPair
) -> None:
    (model / "model.sig").unlink()
    refused(fetch(key.public), fetcher, "SignatureMissing", "'model.sig'",
            "spec.model.verify.signature")  # fmt: skip
    (model / "model.sig").mkdir()
    (model / "model.sig" / "a").write_text("a")
    refused(fetch(key.public), fetcher, "SignatureMissing", "'model.sig'")


def test_signature_has_the_path_that_the_spec_names(
    fetch: Fetch, fetcher: Fetcher, model: Path, key: KeyPair
) -> None:
    (model / "signatures").mkdir()
    (model / "model.sig").rename(model / "signatures" / "fraud.sig")
    assert fetch(key.public, "--signature=signatures/fraud.sig").code == 0
    shutil.rmtree(fetcher.target)
    done = fetch(key.public, "--signature=../fraud.sig")
    refused(done, fetcher, "UnsafePath", "leads out of the model's folder")


@pytest.mark.parametrize("first", [True, False])
def test_each_of_several_keys_may_have_signed(
    fetch: Fetch, tmp_path: Path, key: KeyPair, other: KeyPair, first: bool
) -> None:
    pair = (key, other) if first else (other, key)
    both = tmp_path / "both.pub"
    both.write_bytes(b"# our keys\n" + b"\n".join(k.public.read_bytes() for k in pair))
    done = fetch(both)
    assert done.code == 0, done.output
    assert done.report["signature"]["key"] == key.fingerprint


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


def test_archive_contains_its_signature(
    fetch: Fetch, fetcher: Fetcher, model: Path, key: KeyPair
) -> None:
    def pack() -> None:
        with tarfile.open(model.parent / "fraud.tar.gz", "w:gz") as archive:
            archive.add(model, ".")

    pack()
    done = fetch(key.public, path="fraud.tar.gz")
    assert done.code == 0, done.output
    shutil.rmtree(fetcher.target)
    remove(model)
    pack()
    # The pattern selects the archive; it does not excuse files that are missing in it.
    done = fetch(key.public, "--allow=*.tar.gz", path="fraud.tar.gz")
    refused(done, fetcher, "SignatureInvalid", "missing: tokenizer/wörds.json")


def test_files_that_patterns_exclude_may_be_absent(
    fetch: Fetch, fetcher: Fetcher, model: Path, key: KeyPair
) -> None:
    done = fetch(key.public, "--ignore=tokenizer/")
    assert done.code == 0, done.output
    assert fetcher.files().keys() == {"weights", "model.sig"}
    shutil.rmtree(fetcher.target)
    refused(fetch(key.public, "--allow=weights"), fetcher, "SignatureMissing", "'model.sig'")


def test_mounted_model_is_verified_in_place(fetcher: Fetcher, model: Path, key: KeyPair) -> None:
    fetcher.target = model
    words = ("pvc://models/fraud", "--in-place", f"--key={key.public}")
    done = fetcher.run(*words)
    assert done.code == 0, done.output
    assert done.report["signature"]["key"] == key.fingerprint
    (model / "alias").symlink_to("tokenizer")
    done = fetcher.run(*words)
    assert (done.code, done.reason) == (10, "SignatureInvalid"), done.output
    assert "does not cover: alias" in done.report["message"]
    (model / "alias").unlink()
    (model / "alias").symlink_to("weights")
    done = fetcher.run(*words)
    assert (done.code, done.reason) == (10, "SignatureInvalid"), done.output


def test_link_that_was_signed_counts_as_its_file(
    fetcher: Fetcher, model: Path, key: KeyPair
) -> None:
    (model / "alias").symlink_to("weights")
    (model / "model.sig").unlink()
    sign(model, key, "--allow_symlinks")
    fetcher.target = model
    done = fetcher.run("pvc://models/fraud", "--in-place", f"--key={key.public}")
    assert done.code == 0, done.output


def test_model_on_the_disk_of_a_restarted_pod_is_verified_again(
    fetcher: Fetcher, serve: Serve, model: Path, key: KeyPair, other: KeyPair
) -> None:
    uri = f"{serve(folder(model.parent))}/fraud/"
    words = (uri, "--ignore=tokenizer/")
    assert fetcher.run(*words, f"--key={key.public}").code == 0
    again = fetcher.run(*words, f"--key={key.public}")
    assert again.code == 0, again.output
    assert "fetched" not in again.output
    assert again.report["signature"]["key"] == key.fingerprint
    done = fetcher.run(*words, f"--key={other.public}")
    assert (done.code, done.reason) == (10, "SignatureInvalid"), done.output
