"""kubectl as the transport: every request of the command line is one of its processes.

So contexts, exec plugins, proxies, `--as` and certificates work as they do everywhere else, and
there is no code of ours that handles credentials (decision 0032).
"""

from __future__ import annotations

import codecs
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from canarium import API_VERSION, GROUP
from canarium.view.objects import items, text
from canarium_cli.collector import paused_collector
from canarium_cli.exits import CliError, NotServed, skew, unreachable
from canarium_cli.faults import fault

Raw = Mapping[str, Any]
#: Bytes that are read from a watch at once.
_CHUNK = 1 << 20
#: Why kubectl does not start a credential plugin with `interactiveMode: Always`.
_NO_TERMINAL = "cannot support interactive mode: standard input is not a terminal"
#: The watches that run.
_watches: set[Watch] = set()
#: Set once a credential plugin has refused to run without a terminal.
_needs_terminal = threading.Event()


@dataclass(frozen=True, slots=True)
class Kubectl:
    """kubectl with the options of this run. An empty `namespace` is that of the context."""

    options: tuple[str, ...] = ()
    namespace: str = ""

    def run(self, *words: str, stdin: str | None = None, limit: float = 120.0) -> str:
        """Runs kubectl in the namespace and returns its stdout.

        Raises CliError with kubectl's own words when it fails, is missing, or takes longer than
        `limit` seconds.
        """
        done = _ended(self.command(*words), words[0], limit, stdin)
        if done.returncode:
            error = fault(done.stderr or done.stdout)
            raise self._skew(error) if isinstance(error, NotServed) else error
        return done.stdout

    def _skew(self, error: CliError) -> CliError:
        """The error of a cluster that has our API in other versions only; else the one that is."""
        done = _ended(self.command("get", f"--raw=/apis/{GROUP}"), "get", 60.0)
        listed = items(_parsed(done.stdout), "versions") if not done.returncode else ()
        versions = [text(one, "groupVersion") for one in listed]
        return skew(versions) if versions and API_VERSION not in versions else error

    def within(self, namespace: str) -> Kubectl:
        """The same in another namespace."""
        return replace(self, namespace=namespace)

    def shown(self, namespace: str) -> list[str]:
        """How a person begins the same command line: `kubectl` with the options of this run."""
        return ["kubectl", *self.options, f"--namespace={namespace}"]

    def command(self, *words: str) -> list[str]:
        """The whole command line: kubectl with the options of this run.

        Raises CliError if there is no kubectl.
        """
        namespace = (f"--namespace={self.namespace}",) if self.namespace else ()
        return [binary(), *self.options, *namespace, *words]

    def get(self, *words: str, may_be_missing: bool = False) -> list[Raw]:
        """The objects of `kubectl get WORDS -o json`; also where it is a single one.

        Raises CliError if one that is named does not exist, unless it `may_be_missing`.
        """
        more = ("--ignore-not-found",) if may_be_missing else ()
        text = self.run("get", *words, *more, "--output=json")
        # For a name without an object, kubectl then prints nothing.
        return _objects(_parsed(text)) if text.strip() or not may_be_missing else []

    def raw(self, path: str) -> list[Raw]:
        """The objects of a list at a path of the API, as the server sends them.

        `get` lets kubectl decode and write each object again, which takes seconds for thousands.
        """
        return self.listed(path)[0]

    def listed(self, path: str) -> tuple[list[Raw], str]:
        """The same, with the resourceVersion of the list."""
        answer = _parsed(self.run("get", f"--raw={path}"))
        return _objects(answer), str((answer.get("metadata") or {}).get("resourceVersion") or "")

    def versions(self) -> Raw:
        """What `kubectl version` prints. Raises CliError if the cluster does not answer."""
        answer = _parsed(self.run("version", "--output=json"))
        if not isinstance(answer.get("clientVersion"), dict):
            raise unreachable(f"{binary()} printed no version. Set KUBECTL to the path of kubectl.")
        return answer

    def watch(self, *words: str) -> Watch:
        """A watch of `kubectl get WORDS`, which has to name a single kind."""
        command = self.command("get", *words, "--watch", "--output-watch-events", "--output=json")
        return Watch(command)

    def stream(self, path: str) -> Watch:
        """The events of a watch at a path of the API, as the server sends them."""
        return Watch(self.command("get", f"--raw={path}"))

    def allowed(self, verb: str, resource: str, *words: str) -> bool:
        """Whether the user may do it in this namespace."""
        command = self.command("auth", "can-i", verb, resource, "--quiet", *words)
        done = _ended(command, "auth can-i", 60.0)
        if done.returncode not in (0, 1) or "error" in done.stderr.lower():
            raise fault(done.stderr)
        return done.returncode == 0


class Watch:
    """The events of one `kubectl get --watch`, and its process.

    Each event is the type (ADDED, MODIFIED, DELETED) with the object. The iteration ends when
    kubectl ends, which happens when the API server closes the connection; then `fault` is why.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            command, stdin=stdin_of_kubectl(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        _watches.add(self)

    def __iter__(self) -> Iterator[tuple[str, Raw]]:
        assert self._process.stdout is not None
        decoder, buffer = codecs.getincrementaldecoder("utf-8")("replace"), ""
        while chunk := os.read(self._process.stdout.fileno(), _CHUNK):
            buffer += decoder.decode(chunk)
            # Versions of kubectl print events indented, or in a line each.
            while event := _first_value(buffer):
                value, end = event
                buffer = buffer[end:]
                yield str(value.get("type")), value.get("object") or {}

    def fault(self) -> CliError | None:
        """Why kubectl ended; None when it ended without an error. Waits for its end."""
        _, stderr = self._process.communicate()
        _watches.discard(self)
        words = stderr.decode(errors="replace")
        return fault(words) if self._process.returncode and words.strip() else None

    def stop(self) -> None:
        """Ends kubectl; the iteration and `fault` end with it."""
        if self._process.poll() is None:
            self._process.terminate()


def stop_watches() -> None:
    """Ends every watch, also those of threads that cannot end them because the program ends."""
    for watch in tuple(_watches):
        watch.stop()


def _first_value(text: str) -> tuple[dict[str, Any], int] | None:
    """The first JSON object of `text` and where it ends; None while it is not complete."""
    start = len(text) - len(text.lstrip())
    # An object ends with a brace: without it, decoding a part of it again would be in vain.
    if "}" not in text:
        return None
    try:
        value, end = json.JSONDecoder().raw_decode(text, start)
    except ValueError:
        return None
    return (value, end) if isinstance(value, dict) else None


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


def _ended(
    command: Sequence[str], shown: str, limit: float, stdin: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end. Raises CliError if it takes longer than `limit` seconds, or cannot
    be run."""
    try:
        done = _run(command, limit, stdin)
        if done.returncode and _NO_TERMINAL in done.stderr and stdin is None and _has_terminal():
            _needs_terminal.set()
            done = _run(command, limit, stdin)
        return done
    except subprocess.TimeoutExpired as error:
        lines = (error.stderr or b"").decode(errors="replace").strip().splitlines()
        wrote = f"; it wrote: {lines[-1].strip().rstrip('.')}" if lines else ""
        raise unreachable(
            f"kubectl {shown} did not end within {limit:g} s{wrote}. Check the network, and log in "
            "with kubectl first if a credential plugin asks for it."
        ) from None
    except OSError as error:
        raise unreachable(
            f"Cannot run {command[0]}: {error.strerror}. Install kubectl, or set KUBECTL to its "
            "path."
        ) from None


def _run(
    command: Sequence[str], limit: float, stdin: str | None
) -> subprocess.CompletedProcess[str]:
    # What is not valid UTF-8 must not hide the rest.
    how: Any = {"capture_output": True, "text": True, "errors": "replace", "timeout": limit}
    how |= {"stdin": stdin_of_kubectl()} if stdin is None else {"input": stdin}
    return subprocess.run(command, **how)


def _has_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()


def _parsed(text: str) -> Raw:
    try:
        with paused_collector():
            parsed = json.loads(text)
    except ValueError as error:
        raise unreachable(f"kubectl did not answer with JSON: {error}. Update kubectl.") from None
    except RecursionError:
        raise unreachable("kubectl answered with JSON that is nested too deeply.") from None
    if not isinstance(parsed, dict):
        raise unreachable("kubectl did not answer with an object. Update kubectl.")
    return parsed


def _objects(answer: Raw) -> list[Raw]:
    """The objects of a list, or the single one that it is."""
    is_list = str(answer.get("kind", "")).endswith("List")
    answered = answer.get("items") if is_list else [answer]
    if not isinstance(answered, list) or not all(
        isinstance(one, dict) and isinstance(one.get("metadata"), dict) for one in answered
    ):
        raise unreachable("kubectl did not answer with Kubernetes objects. Update kubectl.")
    versions = {str(one.get("apiVersion")) for one in answered} - {API_VERSION}
    other = sorted(x for x in versions if x.startswith(f"{GROUP}/"))
    if other:
        raise skew(other)
    return answered
