"""The port to a sink: what sends one notification, and how that fails."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from canarium.notifier.notification import Notification
from canarium.notifier.settings import SecretKey


class SendFailed(Exception):
    """A notification was not delivered.

    `refused`: the sink answered, and does not want this one; others may succeed meanwhile.
    `retry_after`: seconds that the sink asks to wait.
    """

    def __init__(
        self, text: str, *, refused: bool = False, retry_after: float | None = None
    ) -> None:
        super().__init__(text)
        self.refused, self.retry_after = refused, retry_after


class Sender(Protocol):
    """Sends to one sink."""

    async def send(self, notification: Notification) -> None:
        """Returns once the sink has accepted it. Raises SendFailed."""
        ...

    async def close(self) -> None:
        """Closes connections."""
        ...


class SecretFiles:
    """Secrets as files: `<folder>/<Secret>/<key>`, read for each use: a rotation takes effect."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, secret: SecretKey) -> str:
        """Returns the value without surrounding white space. Raises SendFailed."""
        try:
            value = (self._folder / secret.name / secret.key).read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            text = f"cannot read key {secret.key} of Secret {secret.name}"
            raise SendFailed(f"{text}: {getattr(error, 'strerror', None) or error}") from error
        if not value:
            raise SendFailed(f"key {secret.key} of Secret {secret.name} is empty")
        return value
