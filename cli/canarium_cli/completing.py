"""Completion: what may follow the words typed so far.

kubectl asks the program `kubectl_complete-modeldeploy` when it completes `kubectl modeldeploy …`
(https://kubernetes.io/docs/tasks/extend-kubectl/kubectl-plugins/#flags-and-arguments-completion):
the words typed so far are its arguments, the last of them the incomplete one. It prints a candidate
per line, with a description after a TAB, and a last line with a directive of cobra.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence

from click.shell_completion import CompletionItem, ShellComplete

from canarium_cli.main import cli
from canarium_cli.program import PROGRAM, VARIABLE

#: Directives of cobra: nothing more, and complete file names instead.
_NO_FILES, _FILES = 4, 0


def candidates(words: Sequence[str], incomplete: str) -> list[CompletionItem]:
    """Returns what may follow `words`, for a last word that begins with `incomplete`."""
    return ShellComplete(cli, {}, PROGRAM, VARIABLE).get_completions(list(words), incomplete)


def main() -> None:
    """The program `kubectl_complete-modeldeploy`."""
    # A shell may stop reading.
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    *words, incomplete = sys.argv[1:] or [""]
    option, equals, value = incomplete.partition("=")
    # As `--output=js`: click completes the value as a separate word.
    if equals and option.startswith("--"):
        items, begin = candidates([*words, option], value), f"{option}="
    else:
        items, begin = candidates(words, incomplete), ""
    for item in items:
        if item.type == "plain":
            print(f"{begin}{item.value}\t{item.help}" if item.help else f"{begin}{item.value}")
    files = any(item.type in ("file", "dir") for item in items)
    print(f":{_FILES if files else _NO_FILES}", flush=True)
    os._exit(0)
