"""The verified signature of a model: from the fetcher's report, and as records store it (JSON).

Both can be edited by people with the rights for it, so neither is assumed to be complete.
"""

from __future__ import annotations

import json
import re
from typing import Any

from canarium.api.status import VerifiedSignature
from canarium.core.facts.images import parse_json
from canarium.untrusted.quoting import quoted

_DIGEST = re.compile(r"sha256:[0-9A-Za-z]{1,64}")
_LONGEST, _LONGEST_IDENTITY = 128, 256


def signature_from_json(value: Any) -> VerifiedSignature | None:
    """Returns a signature from a JSON value; None if it has another form."""
    if not isinstance(value, dict):
        return None
    key, subject, digest = (value.get(name) for name in ("key", "subject", "digest"))
    identity = value.get("identity")
    if not all(isinstance(x, str) and _DIGEST.fullmatch(x) for x in (key, digest)):
        return None
    return VerifiedSignature(
        key=str(key),
        identity=quoted(identity, _LONGEST_IDENTITY) if isinstance(identity, str) else None,
        subject=quoted(subject, _LONGEST),
        digest=str(digest),
    )


def signature_to_json(signature: VerifiedSignature) -> str:
    """Returns the text of the annotation of a record."""
    return json.dumps(signature.model_dump(by_alias=True, exclude_none=True), ensure_ascii=False)


def parse_signature(text: str | None) -> VerifiedSignature | None:
    """Returns the signature that a revision's record stores; None if the text is invalid."""
    return signature_from_json(parse_json(text))
