"""Writes which pods a Prometheus scrapes. Run as a script; standard library only.

Debian builds Prometheus without service discovery by Kubernetes. This watches the pods that have a
label, and writes those with an address into a file that Prometheus watches, with their labels.

Usage: targets.py KUBECONFIG LABEL FILE
"""

from __future__ import annotations

import base64
import json
import re
import ssl
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any


class Pods:
    """The pods with a label, by name."""

    def __init__(self, kubeconfig: Path, label: str) -> None:
        config = json.loads(kubeconfig.read_text())
        cluster = config["clusters"][0]["cluster"]
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        self._url = f"{cluster['server']}/api/v1/pods?labelSelector={label.replace('/', '%2F')}"
        self._token = config["users"][0]["user"]["token"]
        self._trust = ssl.create_default_context(cadata=authority)
        self.known: dict[tuple[str, str], dict[str, Any]] = {}

    def follow(self, target: Path) -> None:
        """Writes `target` whenever the pods change, until the API server ends the watch."""
        with self._open("") as answer:
            listed = json.load(answer)
        self.known = {_key(pod): pod for pod in listed["items"]}
        self._write(target)
        version = listed["metadata"]["resourceVersion"]
        with self._open(f"&watch=1&resourceVersion={version}") as answer:
            for line in answer:
                event = json.loads(line)
                if event["type"] == "ERROR":
                    return
                self._take(event["type"], event["object"])
                self._write(target)

    def _take(self, kind: str, pod: dict[str, Any]) -> None:
        if kind == "DELETED":
            self.known.pop(_key(pod), None)
        else:
            self.known[_key(pod)] = pod

    def _write(self, target: Path) -> None:
        text = json.dumps(groups(list(self.known.values())))
        if not target.exists() or target.read_text() != text:
            unfinished = target.with_suffix(".part")
            unfinished.write_text(text)
            unfinished.replace(target)

    def _open(self, more: str) -> Any:
        request = urllib.request.Request(self._url + more)
        request.add_header("Authorization", f"Bearer {self._token}")
        return urllib.request.urlopen(request, timeout=300, context=self._trust)


def groups(pods: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Prometheus' target groups: a pod's first port, with namespace, pod and all its labels."""
    return [
        {
            "targets": [f"{pod['status']['podIP']}:{port}"],
            "labels": {
                **{_name(key): value for key, value in pod["metadata"]["labels"].items()},
                "namespace": pod["metadata"]["namespace"],
                "pod": pod["metadata"]["name"],
            },
        }
        for pod in pods
        if pod["status"].get("podIP") and pod["status"].get("phase") == "Running"
        for port in _ports(pod)[:1]
    ]


def _ports(pod: dict[str, Any]) -> list[int]:
    return [p["containerPort"] for c in pod["spec"]["containers"] for p in c.get("ports", ())]


def _name(label: str) -> str:
    """Returns a label's name in the form of Prometheus: `canarium.dev/revision` is `revision`."""
    return re.sub(r"\W", "_", label.rpartition("/")[2])


def _key(pod: dict[str, Any]) -> tuple[str, str]:
    return pod["metadata"]["namespace"], pod["metadata"]["name"]


def main(kubeconfig: Path, label: str, target: Path) -> None:
    """Follows the pods indefinitely."""
    pods = Pods(kubeconfig, label)
    while True:
        try:
            pods.follow(target)
        except (OSError, ValueError) as error:
            print(f"the pods: {error}", file=sys.stderr, flush=True)
            time.sleep(0.5)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
