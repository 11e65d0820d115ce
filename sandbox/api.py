"""The few requests that starting a sandbox needs, without a client process for each."""

from __future__ import annotations

import base64
import json
import ssl
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from functools import cached_property
from http import HTTPStatus
from pathlib import Path
from typing import Any

import yaml

from sandbox.parts import Part

_DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


class Api:
    """An API server as the kubeconfig of a sandbox names it."""

    def __init__(self, kubeconfig: Path) -> None:
        self._kubeconfig = kubeconfig

    @property
    def has_credentials(self) -> bool:
        """Whether the kubeconfig itself has a token or a key; otherwise only kubectl can log in."""
        return "token" in self._user or "client-key-data" in self._user

    def get(self, path: str) -> Any:
        """The object at `path`, or None when there is none. Raises OSError."""
        try:
            return json.loads(self._request("GET", path))
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise

    def create(self, path: str, body: Mapping[str, Any]) -> None:
        """Creates an object in the collection `path` unless it exists. Raises OSError."""
        # Read first: creating a Service whose own address is taken does not return a conflict.
        if self.get(f"{path}/{body['metadata']['name']}") is None:
            self._request("POST", path, json.dumps(body).encode())

    def await_definitions(self, *names: str, seconds: float = 30) -> None:
        """Waits until the CRDs `names` are served; without names, all that there are.

        `kubectl wait` fails where a new one has no status yet, by a condition as by a path. What is
        established may still be refused with 429, "storage is (re)initializing". Raises
        TimeoutError with those that are missing.
        """
        end = time.monotonic() + seconds
        while True:
            definitions = self.get(_DEFINITIONS)["items"]
            served = {d["metadata"]["name"] for d in definitions if self._served(d)}
            missing = (set(names) or {d["metadata"]["name"] for d in definitions}) - served
            if not missing:
                return
            if time.monotonic() > end:
                raise TimeoutError(f"not established in {seconds:g} s: {sorted(missing)}")
            time.sleep(0.05)

    def _served(self, definition: dict[str, Any]) -> bool:
        """Returns whether objects of a kind can be asked for."""
        spec = definition["spec"]
        versions = [version["name"] for version in spec["versions"] if version["served"]]
        plural = spec["names"]["plural"]
        try:
            return _established(definition) and all(
                self.get(f"/apis/{spec['group']}/{version}/{plural}?limit=1") is not None
                for version in versions
            )
        except urllib.error.HTTPError as refused:
            if refused.code != HTTPStatus.TOO_MANY_REQUESTS:
                raise
            return False

    def ready(self) -> bool:
        """Returns whether the server answers and is ready."""
        try:
            return self._request("GET", "/readyz") == b"ok"
        except OSError:
            return False

    def _request(self, verb: str, path: str, body: bytes | None = None) -> bytes:
        request = urllib.request.Request(f"{self._server}{path}", data=body, method=verb)
        if "token" in self._user:
            request.add_header("Authorization", f"Bearer {self._user['token']}")
        request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=5, context=self._trust) as answer:
                content: bytes = answer.read()
                return content
        except urllib.error.HTTPError as refused:
            # It holds the connection, which otherwise stays open until it is collected.
            refused.close()
            raise

    @cached_property
    def _config(self) -> Any:
        return yaml.safe_load(self._kubeconfig.read_text())

    @cached_property
    def _server(self) -> str:
        return str(self._config["clusters"][0]["cluster"]["server"])

    @cached_property
    def _user(self) -> Mapping[str, str]:
        user: Mapping[str, str] = self._config["users"][0]["user"]
        return user

    @cached_property
    def _trust(self) -> ssl.SSLContext:
        cluster, user = self._config["clusters"][0]["cluster"], self._user
        authority = _decoded(cluster, "certificate-authority-data") or None
        context = ssl.create_default_context(cadata=authority)
        if "client-key-data" in user:
            with tempfile.NamedTemporaryFile("w") as pair:
                pair.write(_decoded(user, "client-certificate-data"))
                pair.write(_decoded(user, "client-key-data"))
                pair.flush()
                context.load_cert_chain(pair.name)
        return context


def _decoded(part: Mapping[str, str], name: str) -> str:
    return base64.b64decode(part.get(name, "")).decode()


def _established(definition: Mapping[str, Any]) -> bool:
    conditions = definition.get("status", {}).get("conditions") or ()
    return any(c["type"] == "Established" and c["status"] == "True" for c in conditions)


def until(
    holds: Callable[[], bool], part: Part, what: str, *, patience: float = 60.0, every: float = 0.05
) -> None:
    """Waits until `holds()`; an OSError in it counts as not yet.

    Raises PartFailed with the log of `part` when that part ends or `patience` seconds pass.
    """
    end = time.monotonic() + patience
    while True:
        try:
            if holds():
                return
        except urllib.error.HTTPError as refused:
            refused.close()
        except OSError:
            pass
        if not part.alive:
            raise part.failure("ended")
        if time.monotonic() > end:
            raise part.failure(f"did not get {what} in {patience:.0f} s")
        time.sleep(every)
