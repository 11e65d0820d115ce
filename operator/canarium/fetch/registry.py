"""Models in an OCI registry: an artifact whose layers are files, or an image made of files."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterator
from typing import Any

from canarium.api.oci import (
    INDEXES,
    LARGEST_MANIFEST,
    MANIFESTS,
    LoginMissing,
    chosen_login,
    docker_logins,
    registry_server,
    server_repository,
    split_reference,
)
from canarium.api.uri import Address
from canarium.fetch.credentials import StoreCredentials
from canarium.fetch.errors import FetchError
from canarium.fetch.paths import safe
from canarium.fetch.source import SourceFile, archive_of

_BLOCK = 1 << 20
#: Where tools note a file's name: ORAS, and the CNCF's model format.
_NAMES = ("org.opencontainers.image.title", "org.cncf.model.filepath")
_UNPACK = "io.deis.oras.content.unpack"
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}


class Registry:
    """One manifest of a repository, and its layers as files."""

    def __init__(self, client: Any, repository: str, reference: str, *, unpack: bool) -> None:
        self._client, self._unpack = client, unpack
        self._base = f"{client.prefix}://{client.hostname}/v2/{repository}"
        self._reference = reference
        self.ranges = False

    def entries(self) -> list[SourceFile]:
        manifest = self._manifest(self._reference)
        if manifest.get("mediaType") in INDEXES or "manifests" in manifest:
            manifest = self._manifest(_chosen(manifest["manifests"]))
        layers = manifest.get("layers") or []
        entries = [self._entry(i, layer, len(layers) == 1) for i, layer in enumerate(layers)]
        if entries:
            self.ranges = self._takes_ranges(entries[0])
        return entries

    def _entry(self, index: int, layer: dict[str, Any], alone: bool) -> SourceFile:
        notes = layer.get("annotations") or {}
        title = next((notes[name] for name in _NAMES if notes.get(name)), None)
        kind = str(layer.get("mediaType", ""))
        tarred = kind.split("+")[0].endswith((".tar", "tar.gzip")) or ".tar" in kind
        archive = None
        if title is None:
            if not tarred:
                raise FetchError("CorruptArtifact", f"layer {index} ({kind}) has no file name")
            archive = "tar"
        elif notes.get(_UNPACK) == "true" or (tarred and "vnd.cncf.model" in kind):
            archive = "tar"
        elif alone and self._unpack:
            archive = archive_of(title)
        digest = str(layer["digest"])
        return SourceFile(
            path=safe(title) if title else f"layer-{index:04}",
            where=digest,
            size=layer.get("size"),
            ident=digest,
            sha256=digest.removeprefix("sha256:") if digest.startswith("sha256:") else None,
            archive=archive,
        )

    def _manifest(self, reference: str) -> dict[str, Any]:
        accept = {"Accept": ", ".join((*MANIFESTS, *INDEXES))}
        with self._ask(f"/manifests/{reference}", accept) as answer:
            content = answer.raw.read(LARGEST_MANIFEST + 1, decode_content=True)
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        if reference.startswith("sha256:") and digest != reference:
            raise FetchError("CorruptArtifact", f"the registry's manifest {reference} is {digest}")
        try:
            manifest = json.loads(content)
        except ValueError:
            manifest = None
        if not isinstance(manifest, dict):
            raise FetchError("CorruptArtifact", f"{reference} is not a manifest")
        return manifest

    def _ask(self, path: str, headers: dict[str, str]) -> Any:
        try:
            answer = self._client.do_request(f"{self._base}{path}", headers=headers, stream=True)
        except ValueError as error:
            # ORAS' words for a registry that asks for credentials, or for others.
            if "authentication" in str(error):
                known = hasattr(self._client.auth, "_basic_auth")
                text = "refuses the user and the password" if known else "asks for credentials"
                raise FetchError("AccessDenied", f"the registry {text}") from error
            raise
        answer.raise_for_status()
        return answer

    def _takes_ranges(self, entry: SourceFile) -> bool:
        with self._ask(f"/blobs/{entry.where}", {"Range": "bytes=0-0"}) as answer:
            return bool(answer.status_code == 206)

    def read(self, entry: SourceFile, start: int, end: int) -> bytes:
        part = {"Range": f"bytes={start}-{end - 1}"}
        with self._ask(f"/blobs/{entry.where}", part) as answer:
            content: bytes = answer.content
        return content

    def stream(self, entry: SourceFile) -> Iterator[bytes]:
        with self._ask(f"/blobs/{entry.where}", {}) as answer:
            yield from answer.iter_content(_BLOCK)


def registry(address: Address, credentials: StoreCredentials, *, unpack: bool) -> Registry:
    """Returns the repository of `address`; an endpoint with http:// disables TLS."""
    import oras.provider
    from requests.adapters import HTTPAdapter

    class Patient(HTTPAdapter):  # type: ignore[misc]
        def send(self, *arguments: Any, **options: Any) -> Any:
            options["timeout"] = options.get("timeout") or (10, 60)
            return super().send(*arguments, **options)

    class Once(oras.provider.Registry):  # type: ignore[misc]
        """Sends a request without ORAS' own retries, because the fetcher retries itself and logs
        it. An expired token, as during a long download, is requested again."""

        def do_request(self, url: str, **options: Any) -> Any:
            ask, headers = oras.provider.Registry.do_request.__wrapped__, options.pop("headers")
            shown = getattr(self.auth, "token", None)
            answer = ask(self, url, headers=dict(headers), **options)
            if answer.status_code == 401 and shown:
                # Another thread may have received a new one by now.
                if self.auth.token == shown:
                    self.auth.token = None
                answer = ask(self, url, headers=dict(headers), **options)
            return answer

    scheme, _, host = (credentials.endpoint or "").partition("://")
    host = host.strip("/") or registry_server(address.place)
    options = {"hostname": host, "insecure": scheme == "http"}
    client = Once(**options)
    for prefix in ("http://", "https://"):
        client.session.mount(prefix, Patient())
    challenge = client.session.get(f"{client.prefix}://{client.hostname}/v2/", stream=True)
    wants = challenge.headers.get("Www-Authenticate", "").lower()
    challenge.close()
    repository, reference = split_reference(address.path)
    user = _user(credentials, address.place, repository)
    if wants.startswith("basic"):
        if not user:
            raise FetchError("AccessDenied", "the registry asks for a user and a password")
        client = Once(**options, auth_backend="basic")
        for prefix in ("http://", "https://"):
            client.session.mount(prefix, Patient())
    if user:
        client.auth.set_basic_auth(*user)
    repository = server_repository(address.place, repository)
    return Registry(client, repository, reference, unpack=unpack)


def _chosen(manifests: list[dict[str, Any]]) -> str:
    """Returns the manifest of an index for this machine, else the first."""
    machine = _MACHINES.get(platform.machine(), platform.machine())
    fitting = [m for m in manifests if (m.get("platform") or {}).get("architecture") == machine]
    if not manifests:
        raise FetchError("CorruptArtifact", "the index lists no manifest")
    return str((fitting or manifests)[0]["digest"])


def _user(credentials: StoreCredentials, host: str, repository: str) -> tuple[str, str] | None:
    config = credentials.json(".dockerconfigjson")
    if config is None:
        return credentials.both("username", "password")
    try:
        return chosen_login(docker_logins(config, host), host, repository)
    except LoginMissing as error:
        raise FetchError("InvalidCredentials", f"the Secret's {error}") from error
