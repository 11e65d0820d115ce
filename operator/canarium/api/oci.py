"""References to OCI registries: the repository and tag in a URI, and the login in a Secret.

The operator and the fetcher read the same forms, so that what one resolves the other fetches.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
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


class LoginMissing(ValueError):
    """A Docker configuration without a login for a registry; the message names those it has."""


def split_reference(path: str) -> tuple[str, str]:
    """Returns repository and digest or tag of a URI's `path`; a digest takes precedence."""
    named, _, digest = path.partition("@")
    repository, colon, tag = named.partition(":")
    return repository, digest or (tag if colon else "latest")


def docker_login(config: Mapping[str, Any], host: str) -> tuple[str, str]:
    """Returns user and password for `host` in the content of a `.dockerconfigjson`.

    Raises LoginMissing.
    """
    auths = config.get("auths")
    known = auths if isinstance(auths, Mapping) else {}
    for name, entry in known.items():
        if name.removeprefix("https://").removeprefix("http://").split("/")[0] != host:
            continue
        fields = entry if isinstance(entry, Mapping) else {}
        if fields.get("username") and fields.get("password"):
            return str(fields["username"]), str(fields["password"])
        try:
            text = base64.b64decode(str(fields.get("auth", ""))).decode()
        except (binascii.Error, UnicodeDecodeError, ValueError):
            continue
        user, colon, password = text.partition(":")
        if colon:
            return user, password
    names = ", ".join(known) or "none"
    raise LoginMissing(f".dockerconfigjson knows {names}, but not {host}")
