"""Models in object stores and on file systems, through fsspec's kept implementations."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from canarium.api.platform_hub import is_platform_hub
from canarium.api.uri import Address
from canarium.fetch import digest
from canarium.fetch.credentials import StoreCredentials
from canarium.fetch.errors import FetchError
from canarium.fetch.paths import safe
from canarium.fetch.source import SourceFile, archive_of
from canarium.fetch.volumes import readable

_BLOCK = 1 << 20
_CONNECT, _READ = 10, 60
#: What Azure's webhook or an environment's credentials put into a pod.
_AZURE_IDENTITY = (
    "AZURE_FEDERATED_TOKEN_FILE",
    "AZURE_CLIENT_SECRET",
    "AZURE_CLIENT_CERTIFICATE_PATH",
    "IDENTITY_ENDPOINT",
    "MSI_ENDPOINT",
)


class ObjectStore:
    """One file or everything below a path of an fsspec file system."""

    ranges = True

    def __init__(self, system: Any, path: str, *, unpack: bool) -> None:
        self._system, self._path, self._unpack = system, path, unpack

    def entries(self) -> list[SourceFile]:
        self._system.invalidate_cache()
        info = self._system.info(self._path)
        if info["type"] == "file":
            name = safe(self._path.rsplit("/", 1)[-1])
            return [self._entry(name, info, archive_of(name) if self._unpack else None)]
        details = self._system.find(self._path, detail=True)
        base = str(info["name"]).rstrip("/")
        entries = []
        for name, detail in details.items():
            below = str(name).removeprefix(base).lstrip("/")
            # Object stores show "folders" as empty objects that end with a slash.
            if detail["type"] != "file" or not below or below.endswith("/"):
                continue
            entries.append(self._entry(safe(below), detail, None))
        return entries

    def _entry(self, path: str, info: dict[str, Any], archive: str | None) -> SourceFile:
        lfs = info.get("lfs")
        sha256 = getattr(lfs, "sha256", None) or (lfs or {}).get("sha256") if lfs else None
        return SourceFile(path, str(info["name"]), info.get("size"), _ident(info), sha256, archive)

    def read(self, entry: SourceFile, start: int, end: int) -> bytes:
        content: bytes = self._system.cat_file(entry.where, start=start, end=end)
        return content

    def stream(self, entry: SourceFile) -> Iterator[bytes]:
        with self._system.open(entry.where, "rb", block_size=_BLOCK) as source:
            while block := source.read(_BLOCK):
                yield block


class Bucket(ObjectStore):
    """A bucket of S3, whose answer to HEAD has no words: why it refuses is asked by a list."""

    def entries(self) -> list[SourceFile]:
        try:
            return super().entries()
        except FileNotFoundError:
            raise
        except OSError:
            bucket, key, _ = self._system.split_path(self._path)
            self._system.call_s3("list_objects_v2", Bucket=bucket, Prefix=key, MaxKeys=1)
            raise


class Hub(ObjectStore):
    """A repository of the Hugging Face hub, at the commit that its revision meant at first."""

    def __init__(self, system: Any, path: str, *, unpack: bool) -> None:
        super().__init__(system, path, unpack=unpack)
        self._commit: str | None = None

    def entries(self) -> list[SourceFile]:
        if self._commit is None:
            self._system.invalidate_cache()
            place = self._system.resolve_path(self._path)
            info = self._system._api.repo_info(
                place.repo_id, repo_type=place.repo_type, revision=place.revision
            )
            self._commit = str(info.sha)
            below = f"/{place.path_in_repo}" if place.path_in_repo else ""
            self._path = f"{place.repo_id}@{self._commit}{below}"
        return [e for e in super().entries() if e.path != ".gitattributes"]

    def read(self, entry: SourceFile, start: int, end: int) -> bytes:
        # fsspec's own `cat_file` opens with a read-ahead of 5 MiB, for each range again.
        with self._system.open(entry.where, "rb", cache_type="none") as source:
            source.seek(start)
            content: bytes = source.read(end - start)
        return content


def _ident(info: dict[str, Any]) -> str:
    for key in ("ETag", "etag", "generation", "blob_id", "content_md5", "md5Hash"):
        if info.get(key):
            return f"{key}:{info[key]}"
    for key in ("LastModified", "last_modified", "updated", "mtime"):
        if info.get(key):
            return f"{key}:{info[key]}:{info.get('ino', '')}"
    return ""


def s3(address: Address, credentials: StoreCredentials, *, unpack: bool) -> ObjectStore:
    from s3fs import S3FileSystem

    keys = credentials.both("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    region = credentials.get("AWS_REGION") or credentials.get("AWS_DEFAULT_REGION")
    system = S3FileSystem(
        key=keys[0] if keys else None,
        secret=keys[1] if keys else None,
        token=credentials.get("AWS_SESSION_TOKEN"),
        endpoint_url=credentials.endpoint or credentials.get("AWS_ENDPOINT_URL"),
        client_kwargs={"region_name": region} if region else {},
        config_kwargs={
            "connect_timeout": _CONNECT,
            "read_timeout": _READ,
            # The fetcher retries itself, and logs it.
            "retries": {"max_attempts": 1, "mode": "standard"},
        },
        anon=not keys and not _around(),
        skip_instance_cache=True,
    )
    system.retries = 1
    return Bucket(system, _joined(address), unpack=unpack)


def gs(address: Address, credentials: StoreCredentials, *, unpack: bool) -> ObjectStore:
    # Otherwise the kind of each bucket is queried by gRPC, which custom endpoints do not support.
    os.environ["GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT"] = "false"
    from gcsfs import GCSFileSystem

    class Once(GCSFileSystem):  # type: ignore[misc]
        """Disables gcsfs' own six attempts, because the fetcher retries itself and logs it."""

        _request = GCSFileSystem._request.__wrapped__

    key = credentials.json("service-account.json", "key.json")
    # A pod's own token is never shown to an address without TLS, as emulators have.
    anonymous = (credentials.endpoint or "").startswith("http://") and not key
    system = Once(
        token=key or ("anon" if anonymous else None),
        access="read_only",
        endpoint_url=credentials.endpoint,
        requests_timeout=_READ,
        session_kwargs={"trust_env": True},
        skip_instance_cache=True,
    )
    if key:
        # A rejected key fails here, and not in a response about a file.
        system.credentials.maybe_refresh()
    return ObjectStore(system, _joined(address), unpack=unpack)


def az(address: Address, credentials: StoreCredentials, *, unpack: bool) -> ObjectStore:
    from adlfs import AzureBlobFileSystem

    connection = credentials.get("AZURE_STORAGE_CONNECTION_STRING")
    account = credentials.get("AZURE_STORAGE_ACCOUNT_NAME") or os.environ.get(
        "AZURE_STORAGE_ACCOUNT_NAME"
    )
    if not connection and not account:
        text = "az:// needs an account: the Secret's key AZURE_STORAGE_ACCOUNT_NAME is missing"
        raise FetchError("InvalidCredentials", text)
    keys = ("AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_SAS_TOKEN", "AZURE_CLIENT_SECRET")
    public = not connection and not any(map(credentials.get, keys)) and not _known_to_azure()
    if credentials.endpoint and not connection:
        connection = _connection(credentials, str(account), public)
    client = credentials.both("AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET")
    system = AzureBlobFileSystem(
        account_name=account,
        account_key=credentials.get("AZURE_STORAGE_ACCOUNT_KEY"),
        sas_token=credentials.get("AZURE_STORAGE_SAS_TOKEN"),
        connection_string=connection,
        tenant_id=credentials.get("AZURE_TENANT_ID"),
        client_id=client[0] if client else None,
        client_secret=client[1] if client else None,
        anon=public,
        account_host=(credentials.endpoint or "").partition("://")[2] or None,
        connection_timeout=_CONNECT,
        read_timeout=_READ,
        skip_instance_cache=True,
    )
    # adlfs passes no options on: without the library's own waits of 15 seconds and more.
    system.service_client._config.retry_policy.total_retries = 0
    return ObjectStore(system, _joined(address), unpack=unpack)


def _known_to_azure() -> bool:
    """Returns whether the pod has an identity; without any, a container must be public.

    A configured identity that does not work is an error, not a reason to access the store
    anonymously.
    """
    if any(os.environ.get(name) for name in _AZURE_IDENTITY):
        return True
    from azure.core.exceptions import ClientAuthenticationError
    from azure.identity import DefaultAzureCredential

    try:
        DefaultAzureCredential().get_token("https://storage.azure.com/.default")
    except ClientAuthenticationError:
        return False
    return True


def _connection(credentials: StoreCredentials, account: str, public: bool) -> str | None:
    """Returns a key, a SAS or nothing for a custom endpoint, which adlfs supports only by host name
    and TLS."""
    key = credentials.get("AZURE_STORAGE_ACCOUNT_KEY")
    sas = credentials.get("AZURE_STORAGE_SAS_TOKEN")
    begin = f"BlobEndpoint={credentials.endpoint};AccountName={account}"
    if not key and not sas:
        return begin if public else None
    proof = f"AccountKey={key}" if key else f"SharedAccessSignature={(sas or '').lstrip('?')}"
    return f"{begin};{proof}"


def hf(address: Address, credentials: StoreCredentials, *, unpack: bool) -> ObjectStore:
    token = credentials.get("HF_TOKEN")
    if is_platform_hub(credentials.endpoint, os.environ.get("HF_ENDPOINT")):
        token = token or os.environ.get("HF_TOKEN")
    if credentials.endpoint:
        os.environ["HF_ENDPOINT"] = credentials.endpoint.rstrip("/")
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    from huggingface_hub import HfFileSystem

    system = HfFileSystem(
        endpoint=credentials.endpoint,
        token=token or False,
        skip_instance_cache=True,
    )
    return Hub(system, _joined(address), unpack=unpack)


def file(address: Address, credentials: StoreCredentials, *, unpack: bool) -> ObjectStore:
    from fsspec.implementations.local import LocalFileSystem

    root = Path(f"/{address.path}")
    if root.is_dir():
        digest.check(root)
    return ObjectStore(LocalFileSystem(skip_instance_cache=True), str(root), unpack=unpack)


class MountedVolume(ObjectStore):
    """One file, or a folder, of a volume of the pod."""

    def __init__(self, root: Path, address: Address, *, unpack: bool) -> None:
        from fsspec.implementations.local import LocalFileSystem

        path = root / address.path
        super().__init__(LocalFileSystem(skip_instance_cache=True), str(path), unpack=unpack)
        self._root, self._address = root, address
        if not path.resolve().is_relative_to(root.resolve()):
            raise FetchError("UnsafePath", f"{address} is a link that leaves the claim")

    def entries(self) -> list[SourceFile]:
        with readable(self._root, self._address):
            if os.path.isdir(self._path):
                digest.check(Path(self._path))
            if not os.path.lexists(self._path):
                raise FetchError("NotFound", f"{self._address} is not there")
            return super().entries()

    def read(self, entry: SourceFile, start: int, end: int) -> bytes:
        with readable(self._root, self._address):
            return super().read(entry, start, end)


OPENERS: dict[str, Callable[..., ObjectStore]] = {
    "s3": s3,
    "gs": gs,
    "az": az,
    "hf": hf,
    "file": file,
}


def _joined(address: Address) -> str:
    return f"{address.place}/{address.path}" if address.path else address.place


def _around() -> bool:
    """Returns whether the process has an AWS identity; without any, a bucket must be public."""
    from botocore.session import Session

    return Session().get_credentials() is not None
