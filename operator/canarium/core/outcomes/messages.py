"""Sentences of messages that several phases share."""

from __future__ import annotations


def sentences(*parts: str) -> str:
    """Joins parts to a message: each begins with a capital letter, unless a field's path comes
    first, and where there are several, each ends with a period."""
    whole = [_begun(part).rstrip() for part in parts if part]
    if len(whole) < 2:
        return "".join(whole)
    return " ".join(part if part.endswith(".") else f"{part}." for part in whole)


def _begun(part: str) -> str:
    is_path = "." in part.split(maxsplit=1)[0].rstrip(".:")
    return part if is_path else part[0].upper() + part[1:]


def retry_advice(revision: str) -> str:
    """What a user can do about a version that failed."""
    return f"Update the spec, or annotate canarium.dev/retry={revision}/<token>"
