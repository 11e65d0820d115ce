"""What revisions are called in messages: the user's own version beside the operator's revision."""

from __future__ import annotations

from canarium.core.context.context import Situation


def version_of(s: Situation, revision: str | None) -> str | None:
    """Returns the user's version of a revision, if one is known.

    It is read from the revision's record or, where somebody deleted that, from the spec and from
    what the status had before.
    """
    record = s.observed.record(revision)
    if record:
        return record.version
    if revision == s.target:
        wanted: str | None = (s.spec.get("model") or {}).get("version")
        return wanted
    parts = (s.status.stable, s.status.candidate, s.status.previous, *s.status.history)
    return next((x.version for x in parts if x and x.revision == revision and x.version), None)


def describe(s: Situation, revision: str | None) -> str:
    """Returns a revision as messages name it: `version 2 (abc23456)`."""
    if revision is None:
        return "none"
    version = version_of(s, revision)
    return f"version {version} ({revision})" if version else f"revision {revision}"
