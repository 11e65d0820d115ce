"""How the kind binary is found and called: by pytest-kind, with its options.

kind itself is a script here that notes its calls; `make test-kind` uses the real one.
"""

from __future__ import annotations

import functools
import os
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from support.clusters import kind

pytest.importorskip("pytest_kind", reason="requirements/dev.txt is newer than this environment")

OPTIONS: dict[str, Any] = {
    "kind_bin": None, "kind_image": None, "cluster_name": "tests", "keep_cluster": False,
}  # fmt: skip
#: `kind create cluster` writes a kubeconfig to its option --kubeconfig.
PROGRAM = """#!/bin/sh
echo "$*" >> {calls}
for word; do case "$word" in --kubeconfig=*) file=${{word#*=}};; esac; done
case "$1 $2" in
"get clusters") cat {existing} ;;
"create cluster") cat {template} > "$file" ;;
esac
"""
KUBECONFIG = """apiVersion: v1
kind: Config
current-context: kind-tests
contexts: [{name: kind-tests, context: {cluster: kind-tests, user: kind-tests}}]
clusters: [{name: kind-tests, cluster: {server: "https://127.0.0.1:6443"}}]
users: [{name: kind-tests, user: {}}]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where kind's stand-in is, as `kind`, and its record `calls`."""
    monkeypatch.chdir(tmp_path)
    for name in ("KIND_BIN", "KIND_IMAGE", "KIND_VERSION", "KIND_DOWNLOAD_URL"):
        monkeypatch.delenv(name, raising=False)
    names = ("calls", "existing", "template")
    (tmp_path / "template").write_text(KUBECONFIG)
    (tmp_path / "existing").touch()
    program = tmp_path / "kind"
    program.write_text(PROGRAM.format(**{name: tmp_path / name for name in names}))
    program.chmod(0o755)
    return tmp_path


def calls(folder: Path) -> list[str]:
    return (folder / "calls").read_text().splitlines()


def test_pinned_version_is_downloaded_once_and_not_that_of_pytest_kind(tmp_path: Path) -> None:
    chosen = kind.choose(OPTIONS, {}, tmp_path)
    assert chosen.binary == tmp_path / "bin" / f"kind-{kind.VERSION}"
    assert f"/{kind.VERSION}/kind-linux-" in chosen.download
    assert chosen.image is None
    other = kind.choose(OPTIONS, {"KIND_VERSION": "v0.30.0"}, tmp_path)
    assert other.binary.name == "kind-v0.30.0"
    assert "/v0.30.0/" in other.download


def test_option_precedes_the_variable(tmp_path: Path) -> None:
    environment = {"KIND_BIN": "/a/kind", "KIND_IMAGE": "a:1"}
    chosen = kind.choose(OPTIONS, environment, tmp_path)
    assert (chosen.binary, chosen.image) == (Path("/a/kind"), "a:1")
    options = {**OPTIONS, "kind_bin": "/b/kind", "kind_image": "b:1"}
    chosen = kind.choose(options, environment, tmp_path)
    assert (chosen.binary, chosen.image) == (Path("/b/kind"), "b:1")


def test_cluster_is_created_with_the_image_and_deleted_at_the_end(folder: Path) -> None:
    chosen = kind.choose(
        {**OPTIONS, "kind_bin": folder / "kind", "kind_image": "own:1"}, {}, folder
    )
    with kind.cluster(chosen, "-upgrade", folder) as running:
        assert running.kubeconfig.read_text() == KUBECONFIG
        assert running.audit_log.stat().st_mode & 0o777 == 0o666
        where = f"--name=tests-upgrade --kubeconfig={folder}/kubeconfig"
        words = [str(folder / "kind"), "load", "image-archive", "--name", "tests-upgrade"]
        assert running.loads == words
    assert calls(folder)[1:] == [
        "get clusters",
        f"create cluster {where} --image=own:1 --config {folder}/audit/kind.json",
        f"delete cluster {where}",
    ]


def test_cluster_that_is_kept_is_used_again(folder: Path) -> None:
    options = {**OPTIONS, "kind_bin": folder / "kind", "keep_cluster": True}
    for _ in range(2):
        with kind.cluster(kind.choose(options, {}, folder), "", folder) as running:
            assert running.kubeconfig.exists()
        (folder / "existing").write_text("other\ntests\n")
    others = [call.split(" --")[0] for call in calls(folder) if call != "get clusters"]
    assert others == ["create cluster"]


@pytest.mark.parametrize("keep", [True, False])
def test_cluster_that_no_run_kept_is_refused(folder: Path, keep: bool) -> None:
    (folder / "existing").write_text("tests\n")
    options = {**OPTIONS, "kind_bin": folder / "kind", "keep_cluster": keep}
    with (
        pytest.raises(pytest.exit.Exception, match="a kind cluster tests exists") as refused,
        kind.cluster(kind.choose(options, {}, folder), "", folder),
    ):
        pytest.fail("another run made it")
    assert "kind delete cluster --name tests" in str(refused.value)
    assert refused.value.returncode == 4
    assert calls(folder) == ["get clusters"]


def test_binary_is_downloaded_from_the_release(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            url = f"http://127.0.0.1:{server.server_port}/kind"
            monkeypatch.setenv("KIND_DOWNLOAD_URL", url)
            chosen = kind.choose(OPTIONS, os.environ, folder / "cache")
            with kind.cluster(chosen, "", folder):
                pass
        finally:
            server.shutdown()
            thread.join()
    assert chosen.binary.read_text() == (folder / "kind").read_text()
    assert calls(folder)[-1].startswith("delete cluster --name=tests")
