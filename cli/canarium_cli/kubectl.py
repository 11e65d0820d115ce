"""kubectl as the transport: every request of the command line is one of its processes.

So contexts, exec plugins, proxies, `--as` and certificates work as they do everywhere else, and
there is no code of ours that handles credentials (decision 0032).
"""

from __future__ import annotations

import codecs
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from canarium_cli.collector import paused_collector
from canarium_cli.exits import CliError, Exit, not_found, unreachable

Raw = Mapping[str, Any]
#: Bytes that are read from a watch at once.
_CHUNK = 1 << 20

#: How kubectl begins its errors; the reason in parentheses adds nothing to the sentence.
_PREFIX = re.compile(r"^(error: )?(Error from server( \(\w+\))?: )?(error: )?")
#: What kubectl writes to stderr, in lower case → the exit code and what to do about it.
_FAULTS: tuple[tuple[str, Exit, str], ...] = (
    (
        "the server doesn't have a resource type",
        Exit.UNREACHABLE,
        "The cluster has no ModelDeployments: install Canarium's CRDs, or choose another --context",
    ),
    (
        "the server could not find the requested resource",
        Exit.UNREACHABLE,
        "The cluster has no ModelDeployments: install Canarium's CRDs, or choose another --context",
    ),
    ("(notfound)", Exit.NOT_FOUND, "Check the name and the namespace (-n)"),
    ("(forbidden)", Exit.UNREACHABLE, "Ask for the right, or use another --context or --as"),
    (
        "you must be logged in to the server",
        Exit.UNREACHABLE,
        "The credentials are missing or expired: log in again",
    ),
    ("context was not found", Exit.UNREACHABLE, "`kubectl config get-contexts` lists them"),
    ("does not exist", Exit.UNREACHABLE, "`kubectl config get-contexts` lists the contexts"),
    ("current-context is not set", Exit.UNREACHABLE, "Choose a --context"),
    ("unable to connect to the server", Exit.UNREACHABLE, "Check the network and the --context"),
    ("was refused", Exit.UNREACHABLE, "Check that the cluster runs, and the --context"),
    ("timed out", Exit.UNREACHABLE, "Check the network, or raise --request-timeout"),
    ("i/o timeout", Exit.UNREACHABLE, "Check the network and the --context"),
    ("getting credentials", Exit.UNREACHABLE, "The credential plugin failed: log in again"),
    ("no such host", Exit.UNREACHABLE, "Check the network and the --context"),
    ("x509", Exit.UNREACHABLE, "Check the certificates of the kubeconfig"),
    ("is invalid:", Exit.USAGE, "Nothing was changed"),
    ("denied the request", Exit.USAGE, "Nothing was changed"),
    ("unable to parse requirement", Exit.USAGE, "Write labels such as team=risk"),
    # The parser of label selectors: what follows a requirement that is complete.
    ("', expected: ", Exit.USAGE, "Write labels such as team=risk"),
    ("unknown flag", Exit.UNREACHABLE, "Update kubectl"),
)


def fault(stderr: str) -> CliError:
    """Returns the error for what kubectl wrote to stderr: its own words, then what to do."""
    lines = [line.strip() for line in stderr.strip().splitlines() if line.strip()]
    # kubectl logs retries of its discovery before the line that counts.
    words = [line for line in lines if not line.startswith(("E", "I", "W")) or "]" not in line]
    text = (words or lines or ["kubectl failed without a message"])[-1].rstrip(".")
    text = _PREFIX.sub("", text)
    text += "" if text.endswith(("?", "!")) else "."
    lower = stderr.lower()
    for phrase, code, advice in _FAULTS:
        if phrase in lower:
            return CliError(f"{text} {advice}.", code)
    return CliError(text, Exit.UNREACHABLE)


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
        try:
            done = subprocess.run(
                self.command(*words), input=stdin, capture_output=True, text=True, timeout=limit
            )
        except subprocess.TimeoutExpired:
            raise CliError(
                f"kubectl {words[0]} did not end within {limit:g} s. Check the network.",
                Exit.UNREACHABLE,
            ) from None
        if done.returncode:
            raise fault(done.stderr or done.stdout)
        return done.stdout

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

    def get(self, *words: str) -> list[Raw]:
        """The objects of `kubectl get WORDS -o json`; also where it is a single one."""
        answer = _json(self.run("get", *words, "--output=json"))
        items = answer.get("items") if str(answer.get("kind", "")).endswith("List") else None
        return list(items) if isinstance(items, list) else [answer]

    def raw(self, path: str) -> list[Raw]:
        """The objects of a list at a path of the API, as the server sends them.

        `get` lets kubectl decode and write each object again, which takes seconds for thousands.
        """
        items = _json(self.run("get", f"--raw={path}")).get("items")
        return list(items) if isinstance(items, list) else []

    def watch(self, *words: str) -> Watch:
        """A watch of `kubectl get WORDS`, which has to name a single kind."""
        command = self.command("get", *words, "--watch", "--output-watch-events", "--output=json")
        return Watch(command)

    def allowed(self, verb: str, resource: str, *words: str) -> bool:
        """Whether the user may do it in this namespace."""
        command = self.command("auth", "can-i", verb, resource, "--quiet", *words)
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        if done.returncode not in (0, 1) or "error" in done.stderr.lower():
            raise fault(done.stderr)
        return done.returncode == 0


class Watch:
    """The events of one `kubectl get --watch`, and its process.

    Each event is the type (ADDED, MODIFIED, DELETED) with the object. The iteration ends when
    kubectl ends, which happens when the API server closes the connection; then `fault` is why.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

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
        words = stderr.decode(errors="replace")
        return fault(words) if self._process.returncode and words.strip() else None

    def stop(self) -> None:
        """Ends kubectl; the iteration and `fault` end with it."""
        if self._process.poll() is None:
            self._process.terminate()


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
    path = os.environ.get("KUBECTL") or shutil.which("kubectl")
    if not path or not (os.path.sep not in path or os.access(path, os.X_OK)):
        raise unreachable("kubectl is missing: install it, or set KUBECTL to its path.")
    return path


def _json(text: str) -> dict[str, Any]:
    try:
        with paused_collector():
            parsed = json.loads(text)
    except ValueError as error:
        raise CliError(
            f"kubectl did not answer with JSON: {error}. Update kubectl.", Exit.UNREACHABLE
        ) from None
    if not isinstance(parsed, dict):
        raise not_found("kubectl did not answer with an object. Update kubectl.")
    return parsed
