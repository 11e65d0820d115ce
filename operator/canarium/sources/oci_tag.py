"""The digest that a tag of an OCI registry names: a HEAD request for its manifest.

Registries answer such a request without counting it as a download. A registry that asks for
credentials gets the user's, or a token that its token service issues for them; also anonymous
access is by such a token, as at most public registries.
"""

from __future__ import annotations

import base64
import hashlib
import re
from urllib.parse import urlsplit

from canarium.api.oci import INDEXES, LARGEST_MANIFEST, MANIFESTS, split_reference
from canarium.api.reasons import SpecReason
from canarium.api.uri import Address
from canarium.signals.http_client import Response
from canarium.sources.errors import Unresolved
from canarium.sources.registry_server import RegistryServer, parsed_object, unparsed
from canarium.untrusted.quoting import quoted

_ACCEPT = {"Accept": ", ".join((*MANIFESTS, *INDEXES))}
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_PARAMETER = re.compile(r'(\w+)="([^"]*)"')
#: A token as RFC 6750 has it, and maximum bytes of the answer that contains it.
_TOKEN = re.compile(r"[A-Za-z0-9._~+/=\-]{1,16384}")
_LONGEST_TOKEN = 64 << 10

Login = tuple[str, str]


async def resolved(server: RegistryServer, address: Address, login: Login | None) -> str:
    """Returns the URI of the manifest or index that the tag in `address` names; `login`: user and
    password. Raises Unresolved."""
    repository, tag = split_reference(address.path)
    what = f"tag {tag!r} of {repository} at {server}"
    path = f"/v2/{repository}/manifests/{tag}"
    headers = dict(_ACCEPT)
    answer = await server.ask("HEAD", path, what, headers=headers)
    if answer.status == 401:
        headers |= await _authorization(server, answer, login, what)
        answer = await server.ask("HEAD", path, what, headers=headers)
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
    answer = await server.ask("GET", path, what, headers=headers, longest=LARGEST_MANIFEST)
    if answer.status != 200:
        raise server.refusal(answer, what)
    return f"sha256:{hashlib.sha256(answer.body).hexdigest()}"


async def _authorization(
    server: RegistryServer, answer: Response, login: Login | None, what: str
) -> dict[str, str]:
    """Returns the header that the registry asks for in `answer`. Raises Unresolved."""
    kind, _, rest = answer.headers.get("WWW-Authenticate", "").strip().partition(" ")
    if kind.lower() == "basic" and login:
        return _basic(login)
    if kind.lower() != "bearer":
        asks = "asks for a user and a password" if kind.lower() == "basic" else "denies access"
        raise Unresolved(SpecReason.SOURCE_ACCESS_DENIED, f"{what}: the registry {asks}")
    fields = dict(_PARAMETER.findall(rest))
    return await _bearer(server, fields, login, what)


async def _bearer(
    server: RegistryServer, fields: dict[str, str], login: Login | None, what: str
) -> dict[str, str]:
    """Returns a token of the service that the registry names. Raises Unresolved."""
    realm = fields.get("realm", "")
    secure = urlsplit(server.endpoint.url).scheme == "https"
    if not realm.startswith("https://") and (secure or not realm.startswith("http://")):
        text = f"{what}: the registry names no https:// address of its token service"
        raise Unresolved(SpecReason.SOURCE_ACCESS_DENIED, text)
    query = {name: fields[name] for name in ("service", "scope") if fields.get(name)}
    proof = _basic(login) if login else {}
    about = f"{what}: its token service {quoted(urlsplit(realm).netloc, 260)}"
    answer = await server.ask(
        "GET", "", about, url=realm, query=query, headers=proof, longest=_LONGEST_TOKEN
    )
    if answer.status != 200:
        raise server.refusal(answer, about)
    body = parsed_object(answer.body, _LONGEST_TOKEN)
    if body is None:
        raise unparsed(about, _LONGEST_TOKEN)
    token = str(body.get("token") or body.get("access_token") or "")
    if not _TOKEN.fullmatch(token):
        raise Unresolved(SpecReason.SOURCE_UNAVAILABLE, f"{about} answers without a token")
    return {"Authorization": f"Bearer {token}"}


def _basic(login: Login) -> dict[str, str]:
    pair = base64.b64encode(":".join(login).encode()).decode()
    return {"Authorization": f"Basic {pair}"}
