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
    """A sandbox as it is asked for.

    `mode` forces one; `kubeconfig` and `context` name a cluster of the user's, and `loads` is a
    command that makes the images of an archive, its last argument, available to its nodes.
    `install` lets a
    native sandbox install the Debian packages it lacks. `audit` is the level of the API server's
    audit log (None: no log). `controllers` and `scheduler` are for the mode control-plane alone.
    `nodes` counts simulated nodes. `crash_backoff` is the longest wait between two restarts of a
    container, such as "10s". `extra` has more command line words per part. `owner` is a pid: once
    that process has ended, the next `up` of any sandbox deletes this one.
    """

    name: str = field(default_factory=default_name)
    mode: Mode | None = None
    kubeconfig: Path | None = None
    context: str | None = None
    loads: Sequence[str] = ()
    install: bool = field(default_factory=default_install)
    audit: str | None = "Metadata"
    controllers: bool = True
    scheduler: bool = False
    nodes: int = 1
    crash_backoff: str | None = None
    extra: Mapping[str, Sequence[str]] = field(default_factory=dict)
    owner: int | None = None
    quiet: bool = False
