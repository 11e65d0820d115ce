"""Parts of messages: sentences, the location of a failure, and advice.

Every package of `core` writes messages, so this module is below all of them and has no context.
"""

from __future__ import annotations

from typing import Protocol


class FailureSummary(Protocol):
    """A cause or a recorded failure: a reason, its text, and the pod that shows it."""

    @property
    def reason(self) -> str: ...

    @property
    def message(self) -> str: ...

    @property
    def pod(self) -> str | None: ...

    @property
    def container(self) -> str | None: ...


def sentences(*parts: str | None) -> str:
    """Joins parts to a message, without those that are None or blank.

    Each starts with a capital letter, except for the path of a field, and ends with a period if
    there are several.
    """
    whole = [_capitalised(part).rstrip() for part in parts if part and part.strip()]
    if len(whole) < 2:
        return "".join(whole)
    return " ".join(part if part.endswith(".") else f"{part}." for part in whole)


def _capitalised(part: str) -> str:
    is_path = "." in part.split(maxsplit=1)[0].rstrip(".:")
    return part if is_path else part[0].upper() + part[1:]


def location(pod: str | None, container: str | None) -> str:
    """Returns where a failure was seen, in brackets; empty when it was in no pod."""
    parts = [f"pod/{pod}" if pod else "", f"container {container}" if container else ""]
    text = ", ".join(part for part in parts if part)
    return f" ({text})" if text else ""


def decided_by(person: str | None, comment: str | None) -> str:
    """Returns who decided and the comment, for the end of a sentence; empty without both."""
    name = f" by {person}" if person else ""
    return f"{name}: {comment}" if comment else name


def explain(why: FailureSummary) -> str:
    """Returns reason, text and location of a failure."""
    return f"{why.reason}: {why.message}{location(why.pod, why.container)}"


def event_text(revision: str, why: FailureSummary) -> str:
    """Returns the text of the Event for a failure of `revision`."""
    return f"revision {revision}: {explain(why)}"


def retry_advice(revision: str, *, follows: bool) -> str:
    """Returns what a user can do about a failed version; `follows`: of a model that follows a
    reference."""
    remedy = "Move the reference, update the spec," if follows else "Update the spec,"
    return f"{remedy} or annotate canarium.dev/retry={revision}/<token>"


def command_advice(command: str, revision: str, effect: str) -> str:
    """Returns how to issue a command; `effect` is its purpose, such as "To continue"."""
    return f"{effect}, annotate canarium.dev/{command}={revision}/<token>"
