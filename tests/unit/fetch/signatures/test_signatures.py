"""Signed models: made by OpenSSF's library, served over HTTP, and verified by the fetcher."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from canarium.core.facts.pods import Container, Pod
from core.cluster import Cluster, spec
from fetch.conftest import Fetcher
from fetch.signatures.conftest import (
    Fetch,
    Serve,
    bundle,
    refused,
)
from fetch.test_web import folder
from support.docs import blocks
from support.signing import PYTHON, KeyPair, key_pair, library_accepts, sign

# Slow because of OpenSSF's command: a second of CPU time for each signature.
pytestmark = [pytest.mark.rule("R7"), pytest.mark.slow]


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


def test_commands_of_the_guide_make_signatures_that_are_accepted(
    fetch: Fetch, fetcher: Fetcher, serve: Serve, model: Path
) -> None:
    (model / "model.sig").unlink()
    lines = [line for line in blocks("docs/guides/signatures.md")
             if line.startswith(("openssl ", "model_signing ", "sha256sum "))]  # fmt: skip
    with_key, with_certificate = lines[:5], lines[5:]
    signing = ["model_signing", "model_signing"]
    assert [line.split()[0] for line in with_key] == ["openssl", "openssl", *signing, "sha256sum"]
    assert [line.split()[0] for line in with_certificate] == ["openssl"] * 3 + signing
    around = {**os.environ, "PATH": f"{PYTHON.parent}:{os.environ['PATH']}"}

    def run(line: str) -> str:
        return subprocess.run(line, shell=True, cwd=model.parent, env=around, check=True,
                              capture_output=True, text=True, timeout=60).stdout  # fmt: skip

    printed = [run(line) for line in with_key]
    report = fetch(model.parent / "release.pub").report
    assert report["signature"]["key"] == f"sha256:{printed[-1].split()[0]}"

    for line in with_certificate:
        run(line)
    trusted = (f"--authorities={model.parent}/ca.pem", "--identity=release@example.com")
    shutil.rmtree(fetcher.target)
    done = fetcher.run(f"{serve(folder(model.parent))}/fraud/", *trusted)
    assert done.report["signature"]["identity"] == "release@example.com", done.output


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
