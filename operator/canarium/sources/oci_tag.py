"""The digest that a tag of an OCI registry names: a HEAD request for its manifest.

Registries answer such a request without counting it as a download. A registry that asks for
credentials gets the user's, or a token that its token service issues for them; also anonymous
access is by such a token, as at most public registries.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from canarium.api.oci import (
    INDEXES,
    LARGEST_MANIFEST,
    MANIFESTS,
    server_repository,
    split_reference,
)
from canarium.api.reasons import SpecReason
from canarium.api.uri import Address
from canarium.signals.http_client import Response
from canarium.sources.challenges import challenges
from canarium.sources.errors import Unresolved
from canarium.sources.registry_server import RegistryServer, parsed_object, unparsed
from canarium.untrusted.quoting import quoted

_ACCEPT = {"Accept": ", ".join((*MANIFESTS, *INDEXES))}
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
#: A token as RFC 6750 has it, and maximum bytes of the answer that contains it.
_TOKEN = re.compile(r"[A-Za-z0-9._~+/=\-]{1,16384}")
_LONGEST_TOKEN = 64 << 10
#: Bytes of a manifest that are hashed on the event loop, which takes 0.1 ms; 4 MiB take 10 ms.
_MOST_AT_ONCE = 64 << 10

Login = tuple[str, str]


async def resolved(server: RegistryServer, address: Address, login: Login | None) -> str:
    """Returns the URI of the manifest or index that the tag in `address` names; `login`: user and
    password. Raises Unresolved."""
    repository, tag = split_reference(address.path)
    what = f"tag {tag!r} of {repository} at {server}"
    path = f"/v2/{server_repository(address.place, repository)}/manifests/{tag}"
    headers = dict(_ACCEPT)
    answer, url = await server.follow("HEAD", path, what, headers=headers)
    if answer.status == 401:
        scope = f"repository:{server_repository(address.place, repository)}:pull"
        headers |= await _authorization(server, answer, url, scope, login, what)
        answer, _ = await server.follow("HEAD", path, what, headers=headers)
    if answer.status != 200:
        raise server.refusal(answer, what)
    digest = answer.headers.get("Docker-Content-Digest", "").strip()
    if not digest:
        digest = await _computed(server, path, what, headers)
    if not _DIGEST.fullmatch(digest):
        text = f"{what}: the digest {quoted(digest, 100)} is not a sha256"
        raise Unresolved(SpecReason.SOURCE_UNAVAILABLE, text)
    return f"oci://{address.place}/{repository}@{digest}"


async def _computed(server: RegistryServer, path: str, what: str, headers: dict[str, str]) -> str:
    """Returns the digest of the manifest itself, for a registry whose answer does not name it."""
    answer, _ = await server.follow("GET", path, what, headers=headers, longest=LARGEST_MANIFEST)
    if answer.status != 200:
        raise server.refusal(answer, what)
    if len(answer.body) > _MOST_AT_ONCE:
        return await asyncio.to_thread(_digest, answer.body)
    return _digest(answer.body)


def _digest(manifest: bytes) -> str:
    return f"sha256:{hashlib.sha256(manifest).hexdigest()}"


async def _authorization(
    server: RegistryServer, answer: Response, url: str, scope: str, login: Login | None, what: str
) -> dict[str, str]:
    """Returns the header that the registry asks for in `answer`, which `url` sent: a token, if it
    offers that, with `scope` unless it names another one. Raises Unresolved."""
    schemes = challenges(answer.values("WWW-Authenticate"))
    if "bearer" in schemes:
        fields = dict(schemes["bearer"])
        fields["scope"] = fields.get("scope") or scope
        return await _bearer(server, fields, urlsplit(url).scheme == "https", login, what)
    if "basic" in schemes and login:
        return _basic(login)
    asks = "asks for a user and a password" if "basic" in schemes else "denies access"
    raise Unresolved(SpecReason.SOURCE_ACCESS_DENIED, f"{what}: the registry {asks}")


async def _bearer(
    server: RegistryServer,
    fields: Mapping[str, str],
    secure: bool,
    login: Login | None,
    what: str,
) -> dict[str, str]:
    """Returns a token of the service that the registry names; `secure`: the registry has TLS.

    Raises Unresolved.
    """
    realm = fields.get("realm", "")
    if not realm.startswith("https://") and (secure or not realm.startswith("http://")):
        text = f"{what}: the registry names no https:// address of its token service"
        raise Unresolved(SpecReason.SOURCE_ACCESS_DENIED, text)
    query = {name: fields[name] for name in ("service", "scope") if fields.get(name)}
    proof = _basic(login) if login else {}
    about = f"{what}: its token service {quoted(_place(realm), 260)}"
    answer = await server.ask(
        "GET", "", about, url=realm, query=query, headers=proof, longest=_LONGEST_TOKEN
    )
    if answer.status != 200:
        # Its words are not quoted: a registry may name any server as its token service.
        raise server.refusal(answer, about, quotes=False)
    body = parsed_object(answer.body, _LONGEST_TOKEN)
    if body is None:
        raise unparsed(about, _LONGEST_TOKEN)
    token = str(body.get("token") or body.get("access_token") or "")
    if not _TOKEN.fullmatch(token):
        raise Unresolved(SpecReason.SOURCE_UNAVAILABLE, f"{about} answers without a token")
    return {"Authorization": f"Bearer {token}"}


def _place(url: str) -> str:
    """Returns host and port of a URL, without a user and a password in it."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2]
    except ValueError:
        return "(an invalid address)"


def _basic(login: Login) -> dict[str, str]:
    pair = base64.b64encode(":".join(login).encode()).decode()
    return {"Authorization": f"Basic {pair}"}
