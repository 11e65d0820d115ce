"""Options that several commands of the program share."""

from __future__ import annotations

import argparse

from canarium.config import Config

_DEFAULT = Config()


def address(text: str) -> tuple[str, int]:
    """Returns address and port of `[ADDRESS]:PORT`. Raises ValueError."""
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


def add_lease_times(parser: argparse.ArgumentParser) -> None:
    """Declares the times of leader election, all in seconds."""
    for name, meaning in (
        ("duration", "lease duration in seconds, after which a silent leader is replaced"),
        ("renew", "renew deadline in seconds, after which a leader that cannot renew exits"),
        ("retry", "retry period in seconds between two attempts"),
    ):
        usual = getattr(_DEFAULT, f"lease_{name}")
        parser.add_argument(f"--lease-{name}", type=float, default=usual, help=meaning)
