"""What a user can ask of a sandbox."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from sandbox import paths


class Mode(StrEnum):
    """The kinds of sandbox, best first; `up` takes the first that the machine offers.

    CONTROL_PLANE has no node, and is only taken when asked for.
    """

    EXTERNAL = "external"
    KIND = "kind"
    NATIVE = "native"
    SIMULATED = "simulated"
    CONTROL_PLANE = "control-plane"


def default_name() -> str:
    """Returns the default name of a sandbox."""
    return os.environ.get("CANARIUM_SANDBOX") or paths.DEFAULT_NAME


def default_install() -> bool:
    """Returns whether the environment allows Debian packages to be installed."""
    return os.environ.get("CANARIUM_SANDBOX_INSTALL", "") not in ("", "0")


@dataclass(frozen=True, slots=True)
class Options:
    """A sandbox as a user asks for it."""

    name: str = field(default_factory=default_name)
    #: The only mode to take; None: the best one that the machine offers.
    mode: Mode | None = None
    #: A cluster of the user's.
    kubeconfig: Path | None = None
    context: str | None = None
    #: A command that makes the images of an archive, its last argument, available to that
    #: cluster's nodes.
    loads: Sequence[str] = ()
    #: Whether a native sandbox may install the Debian packages that are missing.
    install: bool = field(default_factory=default_install)
    #: The level of the API server's audit log; None: no log.
    audit: str | None = "Metadata"
    #: Whether these run in the mode control-plane. All other modes have them.
    controllers: bool = True
    scheduler: bool = False
    #: Number of simulated nodes.
    nodes: int = 1
    #: Maximum wait between two restarts of a container, such as "10s".
    crash_backoff: str | None = None
    #: Additional words of the command line, by part.
    extra: Mapping[str, Sequence[str]] = field(default_factory=dict)
    #: ID of a process. Once it has ended, the next `up` of any sandbox deletes this one.
    owner: int | None = None
    quiet: bool = False
