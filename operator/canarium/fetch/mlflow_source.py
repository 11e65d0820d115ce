"""Models of an MLflow tracking server: a version of a registered model, or an artifact of a run.

An alias is resolved once per fetch, so an alias that moves meanwhile changes nothing. The files
are read through the server if it serves its artifacts, and otherwise directly from its store.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from canarium.api.uri import Address, UriInvalid, parse
from canarium.fetch.credentials import StoreCredentials
from canarium.fetch.errors import FetchError
from canarium.fetch.paths import safe
from canarium.fetch.source import Source, SourceFile, archive_of
from canarium.fetch.stores import OPENERS
from canarium.fetch.tracking_server import TrackingServer

#: The path of the API under which a server serves artifacts of its store.
_PROXY = "mlflow-artifacts/artifacts"
_MOST_FILES = 100_000
_MOST_FOLDERS = 10_000
#: Other names of stores that the fetcher can read.
_SAME_STORE = {"s3a": "s3", "s3n": "s3", "gcs": "gs"}
_AZURE = frozenset({"wasb", "wasbs", "abfs", "abfss"})


class Mlflow:
    """The artifact that `address` names, wherever the tracking server stores it."""

    def __init__(
        self,
        server: TrackingServer,
        address: Address,
        credentials: StoreCredentials,
        *,
        unpack: bool,
    ) -> None:
        self._server, self._address, self._credentials = server, address, credentials
        self._unpack = unpack
        self._source: Source | None = None

    @property
    def ranges(self) -> bool:
        return self._opened().ranges

    def entries(self) -> list[SourceFile]:
        return self._opened().entries()

    def read(self, entry: SourceFile, start: int, end: int) -> bytes:
        return self._opened().read(entry, start, end)

    def stream(self, entry: SourceFile) -> Iterator[bytes]:
        return self._opened().stream(entry)

    def _opened(self) -> Source:
        if self._source is None:
            self._source = self._stored(located(self._server, self._address))
        return self._source

    def _stored(self, uri: str) -> Source:
        path = _proxied(uri, self._server.url)
        if path is not None:
            return Proxied(self._server, path, unpack=self._unpack)
        store, values = _store(uri, self._address)
        known = replace(
            self._credentials,
            scheme=store.scheme,
            values={**values, **self._credentials.values},
            # The endpoint of the spec is the tracking server's. A store's own is in the Secret.
            endpoint=None,
        )
        return OPENERS[store.scheme](store, known, unpack=self._unpack)


class Proxied:
    """A file or a folder that the tracking server reads from its store."""

    def __init__(self, server: TrackingServer, path: str, *, unpack: bool) -> None:
        self._server, self._path, self._unpack = server, path, unpack
        self.ranges = False

    def entries(self) -> list[SourceFile]:
        entries = [
            self._entry(path.removeprefix(f"{self._path}/"), path, size, None)
            for path, size in self._below(self._path)
        ] or self._file()
        self.ranges = self._takes_ranges(entries)
        return entries

    def _below(self, root: str) -> Iterator[tuple[str, int | None]]:
        """Yields path and size of every file below the folder `root`."""
        folders, files = [root], 0
        for folder in folders:
            for name, is_folder, size in self._listed(folder):
                path = safe(f"{folder}/{name}" if folder else name)
                if is_folder:
                    folders.append(path)
                else:
                    files += 1
                    yield path, size
            if files > _MOST_FILES or len(folders) > _MOST_FOLDERS:
                text = f"{root} has more than {_MOST_FILES} files or {_MOST_FOLDERS} folders"
                raise FetchError("UnsafePath", text)

    def _file(self) -> list[SourceFile]:
        """Returns the path itself if it is a file, as the listing of its folder shows."""
        folder, _, name = self._path.rpartition("/")
        for path, is_folder, size in self._listed(folder):
            if path == name and not is_folder:
                archive = archive_of(name) if self._unpack else None
                return [self._entry(name, self._path, size, archive)]
        return []

    def _listed(self, folder: str) -> Iterator[tuple[str, bool, int | None]]:
        """Yields name, whether it is a folder, and size of what is in `folder`."""
        answer = self._server.get(_PROXY, f"the artifacts in {folder!r}", path=folder)
        for info in answer.get("files") or ():
            name = safe(str(info.get("path", "")))
            if "/" in name:
                raise FetchError("UnsafePath", f"{name!r} is not the name of a file in {folder!r}")
            size = info.get("file_size")
            yield name, bool(info.get("is_dir")), int(size) if size is not None else None

    def _entry(self, name: str, path: str, size: int | None, archive: str | None) -> SourceFile:
        where = f"{_PROXY}/{quote(path)}"
        if size is None:
            # The server leaves out the size of an empty file, as that of one it does not know.
            size = self._server.size(where, path)
        return SourceFile(safe(name), where, size, "", None, archive)

    def _takes_ranges(self, entries: list[SourceFile]) -> bool:
        """Returns whether the server answers with parts of files, which it does for its own disk.

        A small file is asked for: from a bucket, the server reads all of it for each answer.
        """
        if any(entry.size is None for entry in entries):
            return False
        smallest = min((e for e in entries if e.size), key=lambda e: e.size or 0, default=None)
        return smallest is not None and self._server.takes_ranges(smallest.where, smallest.path)

    def read(self, entry: SourceFile, start: int, end: int) -> bytes:
        return self._server.read(entry.where, entry.path, start, end)

    def stream(self, entry: SourceFile) -> Iterator[bytes]:
        return self._server.stream(entry.where, entry.path)


def located(server: TrackingServer, address: Address) -> str:
    """Returns where the artifact is that `address` names, as MLflow's URI. Raises FetchError."""
    if address.place == "runs" and "/" in address.path:
        run, _, path = address.path.partition("/")
        return _of_run(server, run, path)
    model, _, alias = address.place.partition("@")
    return _of_version(server, unquote(model), alias, address.path)


def _of_version(server: TrackingServer, model: str, alias: str, number: str) -> str:
    if alias:
        what = f"alias {alias!r} of model {model!r}"
        answer = server.get("mlflow/registered-models/alias", what, name=model, alias=alias)
    else:
        what = f"version {number} of model {model!r}"
        answer = server.get("mlflow/model-versions/get", what, name=model, version=number)
    version = answer.get("model_version") or {}
    number = str(version.get("version") or "")
    if not number:
        raise FetchError("NotFound", f"{what}: the tracking server names no version")
    what = f"version {number} of model {model!r}"
    status = version.get("status", "READY")
    if status == "PENDING_REGISTRATION":
        raise FetchError("NotFound", f"{what} is still being registered", passing=True)
    if status != "READY":
        words = version.get("status_message") or "without a message"
        raise FetchError("NotFound", f"{what} has the status {status}: {words}")
    answer = server.get("mlflow/model-versions/get-download-uri", what, name=model, version=number)
    return str(answer.get("artifact_uri") or version.get("source") or "")


def _of_run(server: TrackingServer, run: str, path: str) -> str:
    record = server.get("mlflow/runs/get", f"run {run!r}", run_id=run).get("run") or {}
    root = str((record.get("info") or {}).get("artifact_uri") or "")
    name, _, below = path.partition("/")
    # Since version 3, MLflow stores models beside the run's artifacts, and the run refers to them.
    outputs = (record.get("outputs") or {}).get("model_outputs") or ()
    for output in outputs:
        model = _logged_model(server, str(output.get("model_id") or ""))
        if model.get("name") == name and model.get("artifact_uri"):
            return f"{model['artifact_uri']}/{below}" if below else str(model["artifact_uri"])
    return f"{root.rstrip('/')}/{path}"


def _logged_model(server: TrackingServer, model: str) -> dict[str, Any]:
    answer = server.get(f"mlflow/logged-models/{quote(model, safe='')}", f"logged model {model!r}")
    info: dict[str, Any] = (answer.get("model") or {}).get("info") or {}
    return info


def _proxied(uri: str, server: str) -> str | None:
    """Returns the path of an artifact that the tracking server serves; None for another store."""
    parts = urlsplit(uri)
    if parts.scheme == "mlflow-artifacts":
        if parts.netloc and parts.netloc != urlsplit(server).netloc:
            raise FetchError(
                "InvalidUri",
                f"the artifacts are served by {parts.netloc}, not by spec.model.endpoint",
                advice="set spec.model.endpoint to a server that also serves the artifacts",
            )
        return safe(unquote(parts.path).lstrip("/"))
    head = f"{server}/api/2.0/{_PROXY}/"
    return safe(unquote(uri.removeprefix(head))) if uri.startswith(head) else None


def _store(uri: str, address: Address) -> tuple[Address, dict[str, str]]:
    """Returns the address of a store that MLflow names, and credentials that are part of it."""
    parts = urlsplit(uri)
    scheme = _SAME_STORE.get(parts.scheme, parts.scheme)
    values: dict[str, str] = {}
    place, path = parts.netloc, parts.path.strip("/")
    if scheme in _AZURE:
        # wasbs://container@account.blob.core.windows.net/path
        place, _, host = parts.netloc.partition("@")
        scheme, values = "az", {"AZURE_STORAGE_ACCOUNT_NAME": host.partition(".")[0]}
    if scheme not in ("s3", "gs", "az"):
        raise FetchError(
            "InvalidUri",
            f"{address} is stored at {uri}, which pods cannot read",
            advice="start the tracking server with --artifacts-destination, so that it serves its "
            "artifacts, or store them in s3, gs or az",
        )
    try:
        return parse(f"{scheme}://{place}/{path}"), values
    except UriInvalid as error:
        raise FetchError("InvalidUri", f"{address} is stored at {uri}: {error}") from error


def mlflow(address: Address, credentials: StoreCredentials, *, unpack: bool) -> Mlflow:
    """Returns the artifact of `address` on the tracking server of the endpoint."""
    if not credentials.endpoint:
        raise FetchError(
            "InvalidUri",
            f"{address} does not name its tracking server",
            advice="set spec.model.endpoint to the address of the tracking server",
        )
    server = TrackingServer(credentials.endpoint, credentials)
    return Mlflow(server, address, credentials, unpack=unpack)
