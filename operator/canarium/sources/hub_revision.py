"""The commit that a branch or tag of the Hugging Face hub names: one request to its API.

It is the request of `HfApi.model_info(…, expand=["sha"])`: without `expand`, the answer lists all
files of the repository.
"""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

from canarium.api.hub import split_revision
from canarium.api.reasons import SpecReason
from canarium.api.uri import COMMIT, Address
from canarium.sources.errors import Unresolved
from canarium.sources.registry_server import RegistryServer, parsed_object, unparsed
from canarium.untrusted.quoting import quoted

_MAIN = "main"


async def resolved(server: RegistryServer, address: Address) -> str:
    """Returns the URI of the commit that the revision in `address` names. Raises Unresolved."""
    repository, revision, below = split_revision(address)
    revision = unquote(revision) or _MAIN
    what = f"revision {revision!r} of {repository} at {server}"
    path = f"/api/models/{repository}/revision/{quote(revision, safe='')}"
    query = {"expand": "sha"}
    answer = await server.ask("GET", path, what, query=query)
    # A repository that was renamed is at another path.
    if moved := server.moved(path, answer):
        answer = await server.ask("GET", moved, what, query=None if "?" in moved else query)
    if answer.status != 200:
        raise server.refusal(answer, what)
    body = parsed_object(answer.body)
    if body is None:
        raise unparsed(what)
    commit = str(body.get("sha") or "")
    if not re.fullmatch(COMMIT, commit):
        text = f"{what}: the answer names no commit, but {quoted(commit, 60) or 'nothing'}"
        raise Unresolved(SpecReason.SOURCE_UNAVAILABLE, text)
    return f"hf://{repository}@{commit}{'/' if below else ''}{below}"
