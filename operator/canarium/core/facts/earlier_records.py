"""What a moving reference stood for in records whose identity has no result of it (R26).

Operators of earlier versions stored such records, by the algorithm `v1`, and their fetchers noted
what a branch of the hub or a tag of an OCI registry named: `canarium.dev/resolved` has a commit or
the digest of a manifest. Where that note is missing, the first answer about the followed reference
is noted as `canarium.dev/first-answer`. It counts as what the record has, so that only a later
change is rolled out, but it proves nothing about what was fetched: audits do not show it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from canarium.api.hub import split_revision
from canarium.api.oci import split_reference
from canarium.api.uri import COMMIT, Address, UriInvalid, parse

#: Annotations in our group.
RESOLVED_NOTE, FIRST_ANSWER = "resolved", "first-answer"
_DIGEST = "sha256:[0-9a-f]{64}"


def noted_result(uri: str | None, note: str | None) -> str | None:
    """Returns the URI of the commit or digest in `note` that the moving reference `uri` named;
    None if `uri` does not move, or `note` is something else."""
    address = _moving(uri)
    if address is None or note is None:
        return None
    if address.scheme == "hf" and re.fullmatch(COMMIT, note):
        repository, _, below = split_revision(address)
        return f"hf://{repository}@{note}{'/' if below else ''}{below}"
    if address.scheme == "oci" and re.fullmatch(_DIGEST, note):
        return f"oci://{address.place}/{split_reference(address.path)[0]}@{note}"
    return None


def noted_answer(note: str | None) -> str | None:
    """Returns the URI in the `note` of a first answer; None unless it is one that cannot move."""
    try:
        return None if parse(note or "").moves else note
    except UriInvalid:
        return None


def recorded_result(data: Mapping[str, Any], note: str | None) -> str | None:
    """Returns what the URI in a record's `data` named when the record was stored, for readers:
    from its identity, or else from its `note`, as it is if it has another form."""
    identity, model = data.get("identity"), data.get("model")
    resolved = identity.get("resolved") if isinstance(identity, Mapping) else None
    uri = model.get("uri") if isinstance(model, Mapping) else None
    if resolved is not None:
        return str(resolved)
    return noted_result(uri if isinstance(uri, str) else None, note) or note or None


def _moving(uri: str | None) -> Address | None:
    try:
        address = parse(uri or "")
    except UriInvalid:
        return None
    return address if address.moves else None
