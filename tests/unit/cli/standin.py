"""A stand-in for kubectl that answers as a scenario specifies, to inject faults that a real
cluster does not have at will; what it was called with is in a file."""

from __future__ import annotations

import json
import os
import pty
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from canarium_cli.main import cli

#: A shell starts ten times as fast as Python, and some verbs call kubectl a dozen times.
_SCRIPT = """#!/bin/sh
cd {folder}
printf '%s\\0' "$#" "$@" >> calls
printf . >> count
for word; do
    shift
    case $word in
    --namespace* | --context* | --kubeconfig*) ;;
    *) set -- "$@" "$word" ;;
    esac
done
if [ -e "serve-$1" ]; then exec "./serve-$1" "$@"; fi
. ./limit
. ./scenario
echo "error: the scenario has no answer to $*" >&2
exit 1
"""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run of the program ended."""

    code: int
    out: str
    err: str


class Standin:
    """A kubectl in `folder`. The first answer counts whose words are those that a call begins
    with."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._answers = 0
        for name in ("limit", "scenario"):
            (folder / name).touch()
        self.path = folder / "kubectl"
        self.path.write_text(_SCRIPT.format(folder=shlex.quote(str(folder))))
        self.path.chmod(0o755)

    def answers(
        self, *words: str, out: Any = "", err: str = "", code: int = 0, once: bool = False
    ) -> None:
        """Adds an answer; `once`: it counts for one call only. Objects are printed as JSON."""
        self._answers += 1
        tests = [f'[ "${{{n}}}" = {shlex.quote(word)} ]' for n, word in enumerate(words, 1)]
        # Calls at the same time: only one of them can make a folder.
        tests += [f"mkdir used-{self._answers} 2>/dev/null"] if once else []
        steps = []
        for stream, text in enumerate((out if isinstance(out, str) else json.dumps(out), err), 1):
            if text:
                path = self._folder / f"answer-{self._answers}-{stream}"
                path.write_text(text)
                steps.append(f"cat {path.name} >&{stream}")
        with (self._folder / "scenario").open("a") as scenario:
            print(f"if {' && '.join(tests) or ':'}; then", *steps, sep="\n", file=scenario)
            print(f"exit {code}", "fi", sep="\n", file=scenario)

    def lists(self, *models: Any, namespace: str = "default") -> None:
        """Answers with a list of models, in a namespace (by default, that of a kubeconfig without
        one) and in all of them."""
        listed = {"kind": "List", "metadata": {"resourceVersion": "7"}, "items": models}
        for inside in (f"/namespaces/{namespace}", ""):
            path = f"/apis/canarium.dev/v1alpha1{inside}/modeldeployments"
            self.answers("get", f"--raw={path}", out=listed)

    def serves(self, word: str, script: str) -> None:
        """Runs `script` in place of a call whose first word is `word`, such as `proxy`."""
        path = self._folder / f"serve-{word}"
        path.write_text(script.replace("{python}", sys.executable))
        path.chmod(0o755)

    def fails(self, err: str, *words: str, once: bool = False) -> None:
        """Adds an answer with exit code 1."""
        self.answers(*words, err=err, code=1, once=once)

    def fails_after(self, count: int, err: str) -> None:
        """Lets every call fail with `err` once `count` calls were answered."""
        failure = f"printf '%s\\n' {shlex.quote(err)} >&2; exit 1"
        test = f"[ $(wc -c < count) -le {count} ]"
        (self._folder / "limit").write_text(f"{test} || {{ {failure}; }}\n")

    def is_broken(self, err: str) -> None:
        """Lets every call fail with `err`, quickly: a shell starts sooner than Python."""
        self._replace_by(f"printf '%s\\n' {shlex.quote(err)} >&2\nexit 1\n")

    def prints(self, out: str) -> None:
        """Lets every call succeed with `out`, also where that does not answer it."""
        self._replace_by(f"printf '%b' {shlex.quote(out)}\n")

    def needs_terminal(self, out: Any) -> None:
        """Lets every call succeed at a terminal only, as with an interactive credential plugin."""
        words = "getting credentials: exec plugin cannot support interactive mode: standard input "
        words += "is not a terminal"
        self._replace_by(
            f"if [ -t 0 ]; then printf '%s' {shlex.quote(json.dumps(out))}; else\n"
            f"echo 'Unable to connect to the server: {words}' >&2; exit 1; fi\n"
        )

    def _replace_by(self, script: str) -> None:
        self.path.write_text(f"#!/bin/sh\n{script}")

    @property
    def calls(self) -> list[list[str]]:
        """The words of each call, in order."""
        path = self._folder / "calls"
        words = iter(path.read_text().split("\0")[:-1] if path.exists() else [])
        return [list(islice(words, int(count))) for count in words]

    @property
    def environment(self) -> dict[str, str]:
        """That of a program which is to use this kubectl."""
        return {**os.environ, "KUBECTL": str(self.path), "NO_COLOR": "1"}

    def run(self, *words: str, stdin: str = "") -> Ended:
        """Runs the program to its end, in this process and without a terminal."""
        done = CliRunner().invoke(cli, list(words), input=stdin, env=self.environment)
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        return Ended(done.exit_code, done.stdout, done.stderr)

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Starts the program as a separate process, without a terminal."""
        return subprocess.Popen(
            [sys.executable, "-m", "canarium_cli.main", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment,
        )

    def run_at_terminal(self, typed: str, *words: str) -> tuple[int, str]:
        """Runs the program at a terminal at which `typed` is entered: exit code, and what it
        showed."""
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-m", "canarium_cli.main", *words],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=self.environment,
        )
        os.close(theirs)
        os.write(ours, typed.encode())
        shown = b""
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:
                # Linux answers a read with an error once the other end is closed.
                break
            if not part:
                break
            shown += part
        os.close(ours)
        return process.wait(60), shown.decode()


#: What `kubectl version` prints.
VERSIONS = {
    "clientVersion": {"gitVersion": "v1.36.0"},
    "serverVersion": {"gitVersion": "v1.35.1"},
}

#: What kubectl 1.32 prints → the exit code that every verb ends with, and what the sentence has.
FAULTS: Mapping[str, tuple[str, int, str]] = {
    "unknown model": (
        'Error from server (NotFound): modeldeployments.canarium.dev "fraud" not found',
        4,
        '"fraud" not found. Check the name',
    ),
    "forbidden": (
        'Error from server (Forbidden): modeldeployments.canarium.dev "fraud" is forbidden: User '
        '"jane" cannot get resource "modeldeployments" in API group "canarium.dev"',
        5,
        "Ask for the right",
    ),
    "expired credentials": (
        "error: You must be logged in to the server (Unauthorized)",
        5,
        "log in again",
    ),
    "missing credential plugin": (
        'E1129 12:03:33.508683 28864 memcache.go:265] "Unhandled Error" err=<\n'
        "\tcouldn't get current server API group list: getting credentials: exec: executable aws "
        "not found\n\t\n\tIt looks like you are trying to use a client-go credential plugin that "
        "is not installed.\n >\n"
        "Unable to connect to the server: getting credentials: exec: executable aws not found\n\n"
        "It looks like you are trying to use a client-go credential plugin that is not installed."
        "\n\nTo learn more about this feature, consult the documentation available at:\n"
        "      https://kubernetes.io/docs/reference/access-authn-authz/authentication/",
        5,
        "exec: executable aws not found. Install the plugin",
    ),
    "failing credential plugin": (
        "Unable to connect to the server: getting credentials: exec: executable aws failed with "
        "exit code 255",
        5,
        "failed with exit code 255. The credential plugin failed: log in again",
    ),
    "plugin with an expired session": (
        "Error: the SSO session has expired, run aws sso login\n"
        'E1129 20:39:27.669674    9940 memcache.go:265] "Unhandled Error" err="couldn\'t get '
        "current server API group list: getting credentials: exec: executable aws failed with exit "
        'code 255"\n'
        "Error: the SSO session has expired, run aws sso login\n"
        "Unable to connect to the server: getting credentials: exec: executable aws failed with "
        "exit code 255",
        5,
        "(Error: the SSO session has expired, run aws sso login). The credential plugin failed",
    ),
    "plugin that needs a terminal": (
        "Unable to connect to the server: getting credentials: exec plugin cannot support "
        "interactive mode: standard input is not a terminal",
        5,
        "needs a terminal: log in with `kubectl get namespaces` first",
    ),
    "plugin that kubectl no longer contains": (
        "error: The gcp auth plugin has been removed.\n"
        'Please use the "gke-gcloud-auth-plugin" kubectl/client-go credential plugin instead.\n'
        "See https://cloud.google.com/blog/kubectl-auth-changes-in-gke for further details",
        5,
        'has been removed. Please use the "gke-gcloud-auth-plugin"',
    ),
    "context without credentials": ("error: EOF", 5, "has no credentials for this context"),
    "certificate of an unknown authority": (
        "Unable to connect to the server: tls: failed to verify certificate: x509: certificate "
        "signed by unknown authority",
        5,
        "Check the certificates of the kubeconfig",
    ),
    "certificate of the server that has expired": (
        "Unable to connect to the server: tls: failed to verify certificate: x509: certificate has "
        "expired or is not yet valid: current time 2026-11-29T20:39:28Z is after "
        "2026-11-28T00:00:00Z",
        5,
        "Renew the certificate of the API server",
    ),
    "unreachable": (
        "The connection to the server 127.0.0.1:9 was refused - did you specify the right host or "
        "port?",
        5,
        "Check that the cluster runs",
    ),
    "API server that is too slow": (
        "Unable to connect to the server: net/http: request canceled (Client.Timeout exceeded "
        "while awaiting headers)",
        5,
        "or raise --request-timeout",
    ),
    "timeout before the request": (
        "context deadline exceeded",
        5,
        "or raise --request-timeout",
    ),
    "no kubeconfig": (
        "The connection to the server localhost:8080 was refused - did you specify the right host "
        "or port?",
        5,
        "There is no kubeconfig: pass --kubeconfig",
    ),
    "no CRDs": (
        'error: the server doesn\'t have a resource type "modeldeployments"',
        5,
        "install Canarium's CRDs",
    ),
    "wrong context": (
        "Error in configuration: context was not found for specified context: elsewhere",
        5,
        "context was not found for specified context: elsewhere. `kubectl config get-contexts`",
    ),
    "old kubectl": (
        "Error: unknown flag: --output-watch-events\nSee 'kubectl get --help' for usage.",
        5,
        "Error: unknown flag: --output-watch-events. kubectl is too old: update it.",
    ),
}
