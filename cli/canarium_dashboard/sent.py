"""Commands that this process has sent, for the banner that reports the operator's answer.

The address of the page only has a random number. A link from elsewhere shows nothing.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from dataclasses import dataclass

from canarium_dashboard.access.identity import Identity

#: At most this many are kept; the oldest is dropped first.
LIMIT = 1_000


@dataclass(frozen=True, slots=True)
class SentCommand:
    """A command as its annotation has it. The token of a decision about a gate begins with the
    gate."""

    command: str
    revision: str
    token: str


class SentCommands:
    """The last commands of all people."""

    def __init__(self) -> None:
        self._sent: OrderedDict[tuple[str, ...], SentCommand] = OrderedDict()

    def record(self, identity: Identity, namespace: str, name: str, command: SentCommand) -> str:
        """Keeps a command of this person about a model and returns the number that finds it."""
        number = secrets.token_hex(8)
        self._sent[identity.key, namespace, name, number] = command
        while len(self._sent) > LIMIT:
            self._sent.popitem(last=False)
        return number

    def find(
        self, identity: Identity, namespace: str, name: str, number: str
    ) -> SentCommand | None:
        """Returns the command of this person about this model; None if there is none."""
        return self._sent.get((identity.key, namespace, name, number))
