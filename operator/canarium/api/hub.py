"""Revisions in URIs of the Hugging Face hub: `hf://owner/model@revision/path`."""

from __future__ import annotations

import re

from canarium.api.uri import Address

#: Names of the hub with slashes, which the fetcher's client reads without an escape as well.
_SPECIAL = re.compile(r"(refs/pr/\d+|refs/convert/\w+)(?:/|$)")


def split_revision(address: Address) -> tuple[str, str, str]:
    """Returns the repository, the revision as it is written ("" without one), and the path below
    it, of an address with the scheme `hf`."""
    repository, _, revision = address.place.partition("@")
    special = _SPECIAL.match(f"{revision}/{address.path}")
    if special is None:
        return repository, revision, address.path
    return repository, special[1], f"{revision}/{address.path}"[special.end() :].strip("/")
