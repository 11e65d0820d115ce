"""Sentences of messages that several phases share."""

from __future__ import annotations


def sentences(*parts: str) -> str:
    """Joins parts to a message: each begins with a capital letter, and where there are several,
    each ends with a period."""
    whole = [part[0].upper() + part[1:].rstrip() for part in parts if part]
    if len(whole) < 2:
        return "".join(whole)
    return " ".join(part if part.endswith(".") else f"{part}." for part in whole)


def retry_advice(revision: str) -> str:
    """What a user can do about a version that failed."""
    return f"Update the spec, or annotate canarium.dev/retry={revision}/<token>"
