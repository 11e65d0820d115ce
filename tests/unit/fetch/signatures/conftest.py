"""Models signed by OpenSSF's library, and fetches that verify them."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fetch.conftest import Fetcher, Outcome
from fetch.test_web import folder
from support.signing import KeyPair, key_pair, make_environment, sign

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


def bundle(model: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((model / "model.sig").read_text())
    return content
