"""docs/getting-started.md, from the first model to the end: commands as they are written there.

Left out are the commands in `support/not_run.py`. Replaced is the model server's image, which is
the same MLServer from PyPI with the name that the runtime uses. The pauses of the examples are
shortened to 3 s.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from canarium.render.runtime_catalog import built_in
from sandbox import Sandbox, clients, images
from sandbox.images import Image
from support.docs import command, documented
from support.images import ROOT, fetch_image
from support.model_servers.images import mlserver_image
from support.not_run import NOT_RUN
from support.walk import Block, walk

PAGE = "docs/getting-started.md"
#: Commands of other pages about the operator that serves here, and what each prints.
OTHERS = [
    ("docs/guides/troubleshooting.md", "kubectl -n canarium get pods", "Running"),
    ("docs/guides/troubleshooting.md", "kubectl -n canarium describe pods", "Events:"),
    ("docs/guides/troubleshooting.md", "kubectl -n canarium logs deployment/canarium", "canarium"),
    ("docs/guides/troubleshooting.md", "helm get values canarium", "USER-SUPPLIED VALUES"),
    ("docs/guides/high-availability.md", "kubectl -n canarium get lease", "canarium-"),
    ("docs/guides/command-line.md", "kubectl modeldeploy infer fraud", '"data":[0,1]'),
]
PORT = "18080"
EXAMPLES = ROOT / "examples" / "models"


@dataclass
class Reader:
    """Follows the page: runs its commands in a folder, and compares the output."""

    folder: Path
    environment: dict[str, str]
    applied: str = ""
    forwards: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def follow(self, block: Block) -> None:
        commands = [c for c in block.commands if not c.startswith(tuple(NOT_RUN[PAGE]))]
        if not commands:
            return
        output = "".join(map(self.run, commands))
        end = time.monotonic() + 15
        while block.expected and not block.matches(output):
            # A log continues; everything else has to be right at once.
            waits = "logs pod/traffic" in commands[-1] and time.monotonic() < end
            assert waits, f"{block.commands}\nexpected:\n{block.expected}\nprinted:\n{output}"
            time.sleep(0.5)
            output = self.run(commands[-1])

    def run(self, command: str) -> str:
        """Runs a command to its end, or starts a `port-forward`; returns what it prints."""
        self.applied = command.split()[-1] if "apply" in command else self.applied
        command = command.replace("8080:", f"{PORT}:").replace(
            "localhost:8080", f"localhost:{PORT}"
        )
        if "port-forward" in command:
            self._forward(command)
            return ""
        done = subprocess.run(
            ["bash", "-c", command], cwd=self.folder, env=self.environment, timeout=240,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
        bad = self.applied.endswith(("v3.yaml", "v4.yaml")) and "modeldeploy status" in command
        assert done.returncode == int(bad), f"{command}\n{done.stdout}"
        return done.stdout

    def _forward(self, command: str) -> None:
        forward = subprocess.Popen(
            shlex.split(command), env=self.environment, stdout=subprocess.PIPE
        )
        self.forwards.append(forward)
        assert forward.stdout
        assert b"Forwarding" in forward.stdout.readline()


def node_images() -> list[Image]:
    """What the nodes of the reader pull: the fetcher, the model server, and busybox."""
    server = str(built_in()["mlserver-sklearn"].spec["image"])
    manifests = "".join((EXAMPLES / f"{name}.yaml").read_text() for name in ("server", "traffic"))
    [busybox] = set(re.findall(r"image: (\S+)", manifests))
    return [
        fetch_image(),
        replace(mlserver_image(), tag=server),
        Image(busybox, [images.busybox()]),
    ]


@pytest.fixture
def reader(node: Sandbox, tmp_path: Path) -> Iterator[Reader]:
    node.load(node_images())
    programs = tmp_path / "bin"
    programs.mkdir()
    for tool in ("kubectl", "helm"):
        (programs / tool).symlink_to(clients.find(tool))
    program = programs / "kubectl-modeldeploy"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m canarium_cli.main "$@"\n')
    program.chmod(0o755)
    shutil.copytree(EXAMPLES, tmp_path / "examples" / "models")
    for path in (tmp_path / "examples" / "models").glob("fraud-*.yaml"):
        path.write_text(path.read_text().replace("pause: 15s", "pause: 3s"))
    # A copy, since a command changes its context.
    kubeconfig = tmp_path / "kubeconfig"
    shutil.copy(node.kubeconfig, kubeconfig)
    environment = {
        **os.environ,
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "KUBECONFIG": str(kubeconfig),
        "KUBECTL": str(programs / "kubectl"),
        "NO_COLOR": "1",
    }
    one = Reader(tmp_path, environment)
    try:
        yield one
    finally:
        for forward in one.forwards:
            forward.terminate()
            forward.wait(10)
            if forward.stdout:
                forward.stdout.close()
        node.kubectl("delete", "namespace", "demo", "--ignore-not-found", "--wait=false")


@pytest.mark.rule("R4", "R7", "R9")
def test_page_has_the_described_result(reader: Reader, node: Sandbox) -> None:
    blocks = walk(PAGE)
    for block in blocks:
        if any("delete namespace demo" in command for command in block.commands):
            others(reader)
            log = node.kubectl("-n", "demo", "logs", "pod/traffic")
            assert "failed" not in log, log
            assert {"v1", "v2", "v5"} == {w.strip(":") for w in log.split() if w.endswith(":")}
        reader.follow(block)
    installs = [c for block in blocks for c in block.commands if c.startswith("helm upgrade")]
    chart = documented("charts/canarium/README.md", "helm upgrade --install")
    assert [shlex.split(command)[1:] for command in installs] == [chart]


def others(reader: Reader) -> None:
    """Runs `OTHERS` in the namespace of the model, and reads the metrics as described."""
    shutil.copy(EXAMPLES / "request.jsonl", reader.folder / "body.json")
    reader.run("kubectl config set-context --current --namespace=demo")
    for page, beginning, text in OTHERS:
        printed = reader.run(command(page, beginning))
        assert text in printed.replace(": [", ":[").replace("0, 1", "0,1"), printed
    forward = command(
        "docs/guides/monitoring.md", "kubectl -n canarium port-forward deploy/canarium"
    )
    read = command("docs/guides/monitoring.md", "curl -s localhost:9090/metrics")
    reader.run(forward.removesuffix(" &"))
    assert re.search(r"(?m)^canarium_leader [01]", reader.run(read))
