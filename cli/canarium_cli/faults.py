"""What kubectl writes to stderr, as one sentence with what to do, and an exit code."""

from __future__ import annotations

import re
from collections.abc import Iterator

from canarium_cli.exits import CliError, Exit, OldKubectl

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
_BULLET = "* "
_UNKNOWN_OPTION = "unknown flag"
#: What kubectl writes to stderr, in lower case → the exit code and what to do about it.
_FAULTS: tuple[tuple[str, Exit, str], ...] = (
    (
        "the server doesn't have a resource type \"modeldeployments",
        Exit.UNREACHABLE,
        "The cluster has no ModelDeployments: install Canarium's CRDs, or choose another --context",
    ),
    (
        "the server could not find the requested resource",
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
    ("denied request", Exit.USAGE, "Nothing was changed"),
    ("(forbidden)", Exit.UNREACHABLE, "Ask for the right, or use another --context or --as"),
    (
        "you must be logged in to the server",
        Exit.UNREACHABLE,
        "The credentials are missing or expired: log in again",
    ),
    (
        "credential plugin that is not installed",
        Exit.UNREACHABLE,
        "Install the plugin that the kubeconfig names, or choose another --context",
    ),
    ("getting credentials", Exit.UNREACHABLE, "The credential plugin failed: log in again"),
    ("context was not found", Exit.UNREACHABLE, "`kubectl config get-contexts` lists them"),
    ("does not exist", Exit.UNREACHABLE, "`kubectl config get-contexts` lists the contexts"),
    ("no server found for cluster", Exit.UNREACHABLE, "Check --cluster and the kubeconfig"),
    ("error loading config file", Exit.UNREACHABLE, "Correct the kubeconfig, or name another"),
    ("no such file or directory", Exit.UNREACHABLE, "Check --kubeconfig and $KUBECONFIG"),
    ("current-context is not set", Exit.UNREACHABLE, "Choose a --context"),
    ("unable to connect to the server", Exit.UNREACHABLE, "Check the network and the --context"),
    ("was refused", Exit.UNREACHABLE, "Check that the cluster runs, and the --context"),
    ("timed out", Exit.UNREACHABLE, "Check the network, or raise --request-timeout"),
    ("i/o timeout", Exit.UNREACHABLE, "Check the network and the --context"),
    ("no such host", Exit.UNREACHABLE, "Check the network and the --context"),
    ("x509", Exit.UNREACHABLE, "Check the certificates of the kubeconfig"),
    ("is invalid:", Exit.USAGE, "Nothing was changed"),
    ("unable to parse requirement", Exit.USAGE, "Write labels such as team=risk"),
    # The parser of label selectors: what follows a requirement that is complete.
    ("', expected: ", Exit.USAGE, "Write labels such as team=risk"),
)


def fault(stderr: str) -> CliError:
    """Returns the error for what kubectl wrote to stderr: its own words, then what to do."""
    words = _sentence(list(_lines(stderr)) or stderr.split("\n"))
    text = _PREFIX.sub("", words).rstrip(".") or "kubectl failed without a message"
    text += "" if text.endswith(("?", "!")) else "."
    lower = stderr.lower()
    if _UNKNOWN_OPTION in lower:
        return OldKubectl(f"{text} kubectl is too old: update it.", Exit.UNREACHABLE)
    for phrase, code, advice in _FAULTS:
        if phrase in lower:
            return CliError(f"{text} {advice}.", code)
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
        return explained
    bullets = [line.removeprefix(_BULLET) for line in lines if line.startswith(_BULLET)]
    if bullets:
        heads = [line for line in lines if line.endswith(" is invalid:")]
        return f"{heads[-1] if heads else ''} {'; '.join(bullets)}".strip()
    return lines[-1].strip()
