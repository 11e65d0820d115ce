"""References to OCI registries: the repository and tag in a URI, and the login in a Secret.

The operator and the fetcher read the same forms, so that what one resolves the other fetches.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

#: Media types of a manifest, and of an index of manifests, by OCI and by Docker.
MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
#: Maximum bytes of a manifest: the distribution specification asks registries to accept as many.
LARGEST_MANIFEST = 4 << 20
#: Names of Docker Hub in references and in logins, and the host that answers requests.
_DOCKER_HUB = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io"})
_DOCKER_HUB_SERVER = "registry-1.docker.io"
#: Paths of an API, which `docker login` stores behind a host.
_API_PATHS = ("/v1", "/v2")
#: Logins that a configuration may have for one host.
_MOST_LOGINS = 100


class LoginMissing(ValueError):
    """A Docker configuration without a login for a registry; the message names those it has."""


def split_reference(path: str) -> tuple[str, str]:
    """Returns repository and digest or tag of a URI's `path`; a digest takes precedence."""
    named, _, digest = path.partition("@")
    repository, colon, tag = named.partition(":")
    return repository, digest or (tag if colon else "latest")


def registry_server(host: str) -> str:
    """Returns the host that answers requests for the registry `host` of a URI."""
    return _DOCKER_HUB_SERVER if host in _DOCKER_HUB else host


def server_repository(host: str, repository: str) -> str:
    """Returns the name of a repository in requests: Docker Hub's own images have a short one."""
    if host in _DOCKER_HUB and "/" not in repository:
        return f"library/{repository}"
    return repository


@dataclass(frozen=True, slots=True)
class DockerLogin:
    """User and password for the repositories of a host whose path begins with `path`."""

    path: str
    user: str
    password: str = field(repr=False)

    @property
    def pair(self) -> tuple[str, str]:
        """User and password."""
        return self.user, self.password


def docker_logins(config: Mapping[str, Any], host: str) -> tuple[DockerLogin, ...]:
    """Returns the logins for `host` in the content of a `.dockerconfigjson`, the best first.

    As for the kubelet, an entry names a host, whose parts may have `*`, and perhaps the beginning
    of a path. The one with the longest path counts, then one without `*`. Raises LoginMissing.
    """
    auths = config.get("auths")
    known = auths if isinstance(auths, Mapping) else {}
    hosts = _DOCKER_HUB if host in _DOCKER_HUB else frozenset({host})
    matching: list[tuple[int, bool, DockerLogin]] = []
    for name, entry in known.items():
        place, slash, rest = name.removeprefix("https://").removeprefix("http://").partition("/")
        if any(_is_host(place, other) for other in hosts) and (pair := _user(entry)):
            path = _repository_path(f"{slash}{rest}")
            matching.append((len(path), "*" not in place, DockerLogin(path, *pair)))
    if not matching:
        raise LoginMissing(f".dockerconfigjson knows {', '.join(known) or 'none'}, but not {host}")
    if len(matching) > _MOST_LOGINS:
        raise LoginMissing(f".dockerconfigjson has more than {_MOST_LOGINS} logins for {host}")
    matching.sort(key=lambda each: each[:2], reverse=True)
    return tuple(login for *_, login in matching)


def chosen_login(logins: Sequence[DockerLogin], host: str, repository: str) -> tuple[str, str]:
    """Returns user and password for a repository. Raises LoginMissing."""
    path = f"/{server_repository(host, repository)}"
    for login in logins:
        if path.startswith(login.path):
            return login.pair
    paths = ", ".join(f"{host}{login.path}" for login in logins)
    raise LoginMissing(f".dockerconfigjson knows {paths}, but not {host}{path}")


def _repository_path(path: str) -> str:
    """Returns the path of repositories in an entry: without that of the API at its beginning."""
    for api in _API_PATHS:
        if path.rstrip("/") == api or path.startswith(f"{api}/"):
            path = path.removeprefix(api)
    return path.rstrip("/")


def _is_host(pattern: str, host: str) -> bool:
    """Returns whether a host and port match a pattern, each part between dots for itself."""
    (pattern_host, _, pattern_port), (name, _, port) = pattern.partition(":"), host.partition(":")
    patterns, parts = pattern_host.split("."), name.split(".")
    return (
        pattern_port == port
        and len(patterns) == len(parts)
        and all(_is_part(glob, part) for glob, part in zip(patterns, parts, strict=True))
    )


def _is_part(glob: str, part: str) -> bool:
    """Returns whether one part of a name matches, with any text for each `*`. Compiles nothing:
    a Secret may have thousands of entries."""
    first, *others = glob.split("*")
    if not others:
        return glob == part
    *middle, last = others
    if not (part.startswith(first) and part[len(first) :].endswith(last)):
        return False
    place, end = len(first), len(part) - len(last)
    for text in middle:
        if (place := part.find(text, place, end)) < 0:
            return False
        place += len(text)
    return True


def _user(entry: Any) -> tuple[str, str] | None:
    """Returns user and password of an entry; None if it has none."""
    fields = entry if isinstance(entry, Mapping) else {}
    if fields.get("username") and fields.get("password"):
        return str(fields["username"]), str(fields["password"])
    try:
        text = base64.b64decode(str(fields.get("auth", ""))).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None
    user, colon, password = text.partition(":")
    return (user, password) if colon else None
