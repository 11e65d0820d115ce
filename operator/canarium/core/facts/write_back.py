"""Facts about the tags with which a registry shows where a version serves."""

from __future__ import annotations

from dataclasses import dataclass

from canarium.api.states import RegistryState


@dataclass(frozen=True, slots=True)
class TagRequest:
    """A tag to write: the state of `uri`, a version that cannot move, and its reason as a text.

    `revision` is the record that it is about; `secret` has credentials that may write.
    """

    revision: str
    uri: str
    endpoint: str
    secret: str | None
    state: RegistryState
    text: str


@dataclass(frozen=True, slots=True)
class TagResult:
    """The registry has the tag, or `reason` and `message` are why it does not yet."""

    request: TagRequest
    reason: str | None = None
    message: str = ""
