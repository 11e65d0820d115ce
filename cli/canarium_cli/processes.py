"""How kubectl is run: which program, with which input, and for how long at most."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import Any

from canarium_cli.exits import CliError, unreachable

#: Why kubectl does not start a credential plugin with `interactiveMode: Always`.
_NO_TERMINAL = "cannot support interactive mode: standard input is not a terminal"
#: Set once a credential plugin has refused to run without a terminal.
_needs_terminal = threading.Event()


def binary() -> str:
    """The path of kubectl: $KUBECTL, or the first on the PATH.

    Raises CliError if there is none.
    """
    own = os.environ.get("KUBECTL", "")
    path = shutil.which(own or "kubectl")
    if path:
        return path
    if own:
        raise unreachable(
            f"KUBECTL is {own}, which is not a program: install kubectl, or set KUBECTL "
            "to its path."
        )
    raise unreachable("kubectl is missing: install it, or set KUBECTL to its path.")


def stdin_of_kubectl() -> int | None:
    """The stdin of kubectl: none, since a question that kubectl or a credential plugin asks would
    not be seen; that of this program for a plugin that refuses to run without a terminal."""
    return None if _needs_terminal.is_set() else subprocess.DEVNULL


def wants_terminal(stderr: str) -> bool:
    """Returns whether a credential plugin has refused to run without a terminal, and this program
    has one: then the same command may succeed, which gets that terminal from now on."""
    if _NO_TERMINAL not in stderr or sys.stdin is None or not sys.stdin.isatty():
        return False
    _needs_terminal.set()
    return True


def ended(
    command: Sequence[str], shown: str, limit: float, stdin: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end. Raises CliError if it takes longer than `limit` seconds, or cannot
    be run."""
    try:
        done = _run(command, limit, stdin)
        if done.returncode and stdin is None and wants_terminal(done.stderr):
            done = _run(command, limit, stdin)
        return done
    except subprocess.TimeoutExpired as error:
        raise endless(shown, limit, error.stderr or b"") from None
    except OSError as error:
        raise not_started(command, error) from None


def endless(shown: str, limit: float, stderr: bytes) -> CliError:
    """The error of a kubectl that did not end within `limit` seconds."""
    lines = stderr.decode(errors="replace").strip().splitlines()
    wrote = f"; it wrote: {lines[-1].strip().rstrip('.')}" if lines else ""
    return unreachable(
        f"kubectl {shown} did not end within {limit:g} s{wrote}. Check the network, and log in "
        "with kubectl first if a credential plugin asks for it."
    )


def not_started(command: Sequence[str], error: OSError) -> CliError:
    """The error of a program that cannot be run."""
    return unreachable(
        f"Cannot run {command[0]}: {error.strerror}. Install kubectl, or set KUBECTL to its path."
    )


def _run(
    command: Sequence[str], limit: float, stdin: str | None
) -> subprocess.CompletedProcess[str]:
    # What is not valid UTF-8 must not hide the rest.
    how: Any = {"capture_output": True, "text": True, "errors": "replace", "timeout": limit}
    how |= {"stdin": stdin_of_kubectl()} if stdin is None else {"input": stdin}
    return subprocess.run(command, **how)
