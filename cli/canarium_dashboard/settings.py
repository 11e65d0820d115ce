"""How the dashboard is run."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_BASE_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)*")


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of one process.

    `base_path` is the path below which a proxy serves the dashboard, without a trailing slash.
    `hosts` are the names that requests may use in their Host header (without ports); empty means
    any, for a process that asks for a token with every session. `namespaces` are listed for people
    who may not list the whole cluster.
    """

    base_path: str = ""
    actions: bool = False
    hosts: frozenset[str] = frozenset()
    namespaces: tuple[str, ...] = ()
    #: Rows of the fleet on one page.
    page_size: int = 100
    #: Seconds between two comments on an idle event stream, so that proxies keep it open.
    heartbeat: float = 15.0
    #: Words of kubectl that choose the cluster and the user, for the commands that pages show.
    kubectl_words: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        if not _BASE_PATH.fullmatch(self.base_path):
            raise ValueError(
                f"base path {self.base_path!r} must begin with / and must not end with it, "
                "as in /canarium"
            )
