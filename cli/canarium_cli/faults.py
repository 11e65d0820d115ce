"""What kubectl writes to stderr, as one sentence with what to do, and an exit code."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from canarium_cli.exits import CliError, Exit, Forbidden, NotLoggedIn, NotServed, OldKubectl

#: How kubectl begins its errors; the reason in parentheses adds nothing to the sentence.
_PREFIX = re.compile(
    r"^(error( in configuration)?: )?(error from server( \(\w+\))?: )?(error: )?", re.IGNORECASE
)
#: A record of kubectl's log, such as of the retries of its discovery.
_LOGGED = re.compile(r"[EIWF]\d{4} .*\]")
#: How a record begins that has several lines, and how it ends.
_BEGIN, _END = "=<", ">"
#: What follows an option that kubectl does not know.
_USAGE = re.compile(r"See 'kubectl .*' for usage\.?")
#: What kubectl prints advice about, below the error itself.
_EXPLAINED = "Unable to connect to the server: "
#: A plugin's own words precede that line.
_PLUGIN = "getting credentials: exec: executable"
#: How the first of three lines ends about a provider whose plugin kubectl once contained.
_REMOVED = "auth plugin has been removed."
_BULLET = "* "
_UNKNOWN_OPTION = "unknown flag"
#: With a context that has no credentials, kubectl asks for a user name and reads this answer.
_NO_ANSWER = "error: EOF"
#: Of a context without credentials, where the API server admits anonymous requests.
_ANONYMOUS = 'user "system:anonymous"'
#: What kubectl writes when it found no valid credentials, in lower case → what to do about it.
_LOGIN: tuple[tuple[str, str], ...] = (
    (
        "you must be logged in to the server",
        "The credentials are missing or expired: log in again",
    ),
    (_ANONYMOUS, "The request had no credentials: log in, or choose another --context"),
    (
        "credential plugin that is not installed",
        "Install the plugin that the kubeconfig names, or choose another --context",
    ),
    (
        "cannot support interactive mode",
        "The credential plugin needs a terminal: log in with `kubectl get namespaces` first",
    ),
    ("getting credentials", "The credential plugin failed: log in again"),
    ("auth plugin has been removed", "Update the kubeconfig with the tool of your provider"),
)
_FORBIDDEN = "(forbidden)"
_NO_RESOURCE = "the server could not find the requested resource"
#: What kubectl writes to stderr, in lower case → the exit code and what to do about it.
_FAULTS: tuple[tuple[str, Exit, str], ...] = (
    (
        "the server doesn't have a resource type \"modeldeployments",
        Exit.UNREACHABLE,
        "The cluster has no ModelDeployments: install Canarium's CRDs, or choose another --context",
    ),
    (
        _NO_RESOURCE,
        Exit.UNREACHABLE,
        "The cluster has no ModelDeployments: install Canarium's CRDs, or choose another --context",
    ),
    (
        "the server doesn't have a resource type",
        Exit.UNREACHABLE,
        "Install its CRD, or choose another --context",
    ),
    ("(notfound)", Exit.NOT_FOUND, "Check the name and the namespace (-n)"),
    ("denied the request", Exit.USAGE, "Nothing was changed"),
    # Webhooks answer Forbidden to everything they refuse, policies only where a right is missing.
    (_FORBIDDEN, Exit.UNREACHABLE, "Ask for the right, or use another --context or --as"),
    ("denied request", Exit.USAGE, "Nothing was changed"),
    ("context was not found", Exit.UNREACHABLE, "`kubectl config get-contexts` lists them"),
    ("does not exist", Exit.UNREACHABLE, "`kubectl config get-contexts` lists the contexts"),
    ("no server found for cluster", Exit.UNREACHABLE, "Check --cluster and the kubeconfig"),
    ("error loading config file", Exit.UNREACHABLE, "Correct the kubeconfig, or name another"),
    ("no such file or directory", Exit.UNREACHABLE, "Check --kubeconfig and $KUBECONFIG"),
    ("current-context is not set", Exit.UNREACHABLE, "Choose a --context"),
    (
        "certificate has expired or is not yet valid",
        Exit.UNREACHABLE,
        "Renew the certificate of the API server, or correct the clock of this machine",
    ),
    ("x509", Exit.UNREACHABLE, "Check the certificates of the kubeconfig"),
    (
        "rejected our request for an unknown reason",
        Exit.UNREACHABLE,
        "Check the address of the server in the kubeconfig",
    ),
    (
        "client.timeout exceeded",
        Exit.UNREACHABLE,
        "Check the network, or raise --request-timeout",
    ),
    (
        "context deadline exceeded",
        Exit.UNREACHABLE,
        "Check the network, or raise --request-timeout",
    ),
    ("unable to connect to the server", Exit.UNREACHABLE, "Check the network and the --context"),
    # Without a kubeconfig, kubectl asks a port of this machine.
    (
        "localhost:8080 was refused",
        Exit.UNREACHABLE,
        "There is no kubeconfig: pass --kubeconfig, or set KUBECONFIG",
    ),
    ("was refused", Exit.UNREACHABLE, "Check that the cluster runs, and the --context"),
    ("timed out", Exit.UNREACHABLE, "Check the network, or raise --request-timeout"),
    ("i/o timeout", Exit.UNREACHABLE, "Check the network and the --context"),
    ("no such host", Exit.UNREACHABLE, "Check the network and the --context"),
    ("is invalid:", Exit.USAGE, "Nothing was changed"),
    ("unable to parse requirement", Exit.USAGE, "Write labels such as team=risk"),
    # The parser of label selectors: what follows a requirement that is complete.
    ("', expected: ", Exit.USAGE, "Write labels such as team=risk"),
)


#: The classes of errors that callers distinguish, by their phrases.
_KINDS: Mapping[str, type[CliError]] = {
    _FORBIDDEN: Forbidden,
    _NO_RESOURCE: NotServed,
}


def fault(stderr: str) -> CliError:
    """Returns the error for what kubectl wrote to stderr: its own words, then what to do."""
    if stderr.strip() == _NO_ANSWER:
        return NotLoggedIn(
            "The kubeconfig has no credentials for this context. Log in, or choose another "
            "--context.",
            Exit.UNREACHABLE,
        )
    words = _sentence(list(_lines(stderr)) or stderr.split("\n"))
    text = _PREFIX.sub("", words).rstrip(".")
    if not text:
        return CliError(
            "kubectl failed without a message. Check that KUBECTL, or the first kubectl on the "
            "PATH, is kubectl.",
            Exit.UNREACHABLE,
        )
    text += "" if text.endswith(("?", "!")) else "."
    lower = stderr.lower()
    if _UNKNOWN_OPTION in lower:
        return OldKubectl(f"{text} kubectl is too old: update it.", Exit.UNREACHABLE)
    for phrase, advice in _LOGIN:
        if phrase in lower:
            return NotLoggedIn(f"{text} {advice}.", Exit.UNREACHABLE)
    for phrase, code, advice in _FAULTS:
        if phrase in lower:
            return _KINDS.get(phrase, CliError)(f"{text} {advice}.", code)
    return CliError(text, Exit.UNREACHABLE)


def _lines(stderr: str) -> Iterator[str]:
    """Yields the lines that are neither empty nor of kubectl's log."""
    inside = False
    for line in map(str.strip, stderr.splitlines()):
        if inside:
            inside = line != _END
        elif _LOGGED.match(line):
            inside = line.endswith(_BEGIN)
        elif line and not _USAGE.fullmatch(line):
            yield line


def _sentence(lines: list[str]) -> str:
    """Returns the line that counts: usually the last, since warnings precede it."""
    explained = next((line for line in lines if line.startswith(_EXPLAINED)), "")
    if explained:
        place = lines.index(explained)
        own = lines[place - 1] if place and _PLUGIN in explained else ""
        return f"{explained} ({own.rstrip('.')})" if own else explained
    removed = next((i for i, line in enumerate(lines) if line.endswith(_REMOVED)), None)
    if removed is not None:
        return " ".join(lines[removed : removed + 2])
    bullets = [line.removeprefix(_BULLET) for line in lines if line.startswith(_BULLET)]
    if bullets:
        heads = [line for line in lines if line.endswith(" is invalid:")]
        return f"{heads[-1] if heads else ''} {'; '.join(bullets)}".strip()
    return lines[-1].strip()
