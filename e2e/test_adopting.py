"""docs/guides/adopting.md: a running Deployment is adopted and returned; every request succeeds.

The commands and manifests are those of the page. Replaced are the names of images; a rollout pauses
and bakes for 3 s.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sandbox import Forward, Sandbox, clients
from support.client import Client
from support.images import ROOT
from support.walk import walk

PAGE = "docs/guides/adopting.md"
#: Text of the page → what the test has instead.
REPLACED = {
    "registry.example.org/ml/fraud:1.4": "canarium.dev/story:v1",
    "pause: 30s": "pause: 3s",
    "bakeTime: 1m": "bakeTime: 3s",
    # On a machine that is busy with other tests an answer may take longer than a second.
    "path: /ready, port: 8080}": "path: /ready, port: 8080}\n            timeoutSeconds: 5",
    "periodSeconds: 1}": "periodSeconds: 1, timeoutSeconds: 5}",
}
#: The same in commands.
NEXT_VERSION = (r"s/1\.4/1.5/", r"s/1\.4/1.5/;s/story:v1/story:v2/")
rule = pytest.mark.rule


def manifests() -> dict[str, str]:
    """Returns the three YAML blocks of the page by the name of their file."""
    blocks = re.findall(r"(?ms)^```yaml\n(.*?)^```", (ROOT / PAGE).read_text())
    return dict(zip(("fraud.yaml", "service.yaml", "model.yaml"), blocks, strict=True))


@dataclass
class Owner:
    """Owns a Deployment `fraud` in a namespace, and follows the page in a folder."""

    node: Sandbox
    namespace: str
    folder: Path
    way: Forward | None = None
    client: Client | None = None

    def write(self) -> None:
        """Writes the manifests of the page."""
        for name, text in manifests().items():
            for old, new in REPLACED.items():
                text = text.replace(old, new)
            (self.folder / name).write_text(text)

    def run(self, command: str) -> str:
        """Runs a command of the page, in the namespace. Fails with its output if it fails."""
        done = subprocess.run(
            ["bash", "-c", command.replace(*NEXT_VERSION)], cwd=self.folder, timeout=240,
            env=self.environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{self.kubectl('get', 'pods')}"
        return done.stdout

    def environment(self) -> dict[str, str]:
        programs = self.folder / "bin"
        if not programs.exists():
            programs.mkdir()
            (programs / "kubectl").symlink_to(clients.find("kubectl"))
            config = self.folder / "kubeconfig"
            config.write_bytes(self.node.kubeconfig.read_bytes())
            subprocess.run(
                [str(programs / "kubectl"), "--kubeconfig", str(config), "config", "set-context",
                 "--current", f"--namespace={self.namespace}"],
                check=True, capture_output=True,
            )  # fmt: skip
        return {
            **os.environ,
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "KUBECONFIG": str(self.folder / "kubeconfig"),
        }

    def kubectl(self, *words: str) -> str:
        return self.node.kubectl("-n", self.namespace, *words)

    def serve(self) -> None:
        """Applies the Deployment, its autoscaler and the Service, and starts a client."""
        self.run("kubectl apply -f fraud.yaml -f service.yaml")
        self.run("kubectl rollout status deployment/fraud --timeout=120s")
        address = self.kubectl("get", "service", "fraud", "-o", "jsonpath={.spec.clusterIP}")
        self.way = self.node.forward(f"{address}:80")
        # kube-proxy learns of the first endpoints up to a second after the API server does.
        time.sleep(3)
        self.client = Client(self.way.url)
        self.answers_of("v1", 2)

    def answers_of(self, version: str, seconds: float) -> None:
        """Waits, and asserts that no request failed and the last second's came from `version`."""
        assert self.client is not None
        time.sleep(seconds)
        assert self.client.failed() == 0, self.client.faults()
        seen = self.client.since(time.monotonic() - 1)
        assert set(seen) == {version}
        assert seen.total() > 5

    def service(self) -> dict[str, Any]:
        service: dict[str, Any] = json.loads(self.kubectl("get", "service", "fraud", "-o", "json"))
        return service

    def gone(self, kinds: str) -> None:
        """Waits until no object of the model is left. Fails after a minute."""
        words = ("get", kinds, "-l", "canarium.dev/model", "-o", "name")
        end = time.monotonic() + 60
        while left := self.kubectl(*words):
            assert time.monotonic() < end, left
            time.sleep(1)

    def pods(self) -> list[str]:
        """Returns the names of the pods that the endpoints of the Service list."""
        words = ("get", "endpointslices", "-l", "kubernetes.io/service-name=fraud", "-o", "json")
        slices = json.loads(self.kubectl(*words))["items"]
        return [e["targetRef"]["name"] for one in slices for e in one.get("endpoints") or ()]

    def end(self) -> None:
        if self.client:
            self.client.stop()
        if self.way:
            self.way.close()
        self.node.kubectl("delete", "namespace", self.namespace, "--wait=false")


@pytest.fixture
def owner(node: Sandbox, tmp_path: Path) -> Iterator[Callable[[str], Owner]]:
    begun: list[Owner] = []

    def begin(namespace: str) -> Owner:
        node.kubectl("create", "namespace", namespace)
        begun.append(Owner(node, namespace, tmp_path))
        return begun[-1]

    yield begin
    for one in begun:
        one.end()


@rule("R3", "R14", "R20", "R24")
def test_deployment_is_adopted_and_returned_without_a_failed_request(
    owner: Callable[[str], Owner], figures: Callable[..., None]
) -> None:
    one = owner("adopting")
    one.write()
    one.serve()
    before = one.service()
    for block in walk(PAGE):
        for command in block.commands:
            one.run(command)
        if block.section.startswith("3."):
            assert all(pod.startswith("fraud-") for pod in one.pods())
            after = one.service()
            assert after["metadata"]["uid"] == before["metadata"]["uid"]
            assert after["spec"]["clusterIP"] == before["spec"]["clusterIP"]
            assert after["spec"]["selector"].keys() == {"canarium.dev/model", "canarium.dev/color"}
            assert [("name" in port, port["port"]) for port in after["spec"]["ports"]] == [
                (False, 80)
            ]
            ready = "jsonpath={.status.readyReplicas}"
            assert one.kubectl("get", "deployment", "fraud", "-o", ready) == "3"
        if block.section.startswith("4."):
            one.answers_of("v1", 10)
            autoscaled = one.kubectl("get", "pods", "-l", "app=fraud", "-o", "name")
            assert autoscaled == "", "the autoscaler started the Deployment again"
        if block.section.startswith("5."):
            one.answers_of("v2", 4)
    one.answers_of("v1", 10)
    assert one.client
    figures("adoption", sent=len(one.client.answers), failed=one.client.failed())
    returned = one.service()
    assert returned["spec"] == before["spec"]
    assert "ownerReferences" not in returned["metadata"]
    one.gone("deployments,replicasets,pods,services,hpa,controllerrevisions,pdb")


@rule("R3", "R4", "R29")
def test_first_version_that_fails_leaves_the_service_with_the_deployment(
    owner: Callable[[str], Owner],
) -> None:
    one = owner("adopting-fails")
    one.write()
    one.serve()
    before = one.service()
    broken = one.folder / "model.yaml"
    broken.write_text(broken.read_text().replace("story:v1", "story:v3"))
    one.run("kubectl annotate service fraud canarium.dev/adopt=fraud")
    one.run("kubectl apply -f model.yaml")
    one.run(
        "kubectl wait modeldeployment/fraud --for=jsonpath='{.status.phase}'=Failed --timeout=60s"
    )
    one.answers_of("v1", 5)
    assert one.service()["spec"] == before["spec"]
    for block in walk(PAGE):
        if block.section == "Give it back":
            for command in block.commands:
                one.run(command)
    one.answers_of("v1", 5)
    assert one.service()["spec"] == before["spec"]
