"""`logs`: the logs of the right pods, each line with the role and the pod that it is from."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import click

from canarium.view.model import view
from canarium.view.objects import REVISION_LABEL, Objects, Raw, items, label, number, part, text
from canarium.view.revisions import role_of
from canarium.view.tree import Role
from canarium_cli.connection import Connection, connected
from canarium_cli.durations import FOR_KUBECTL
from canarium_cli.exits import CliError, Exit, not_found, usage
from canarium_cli.faults import fault
from canarium_cli.kubectl import Kubectl
from canarium_cli.output.lines import Span, line
from canarium_cli.output.terminal import echo, write
from canarium_cli.output.tree_text import ROLE_STYLES
from canarium_cli.processes import stdin_of_kubectl
from canarium_cli.reads import PODS, objects_of
from canarium_cli.watching import POD, ModelWatch

#: Most pods whose logs are followed at once: each is a process of kubectl and a connection.
_MOST = 50
#: Logs that are read at once without --follow.
_AT_ONCE = 8
_SERVER, _FETCHER = "server", "fetch"


@dataclass(frozen=True, slots=True)
class Source:
    """One run of a container of a pod: after a restart, its log is another one."""

    pod: str
    role: Role
    container: str
    restarts: int = 0

    @property
    def run(self) -> tuple[str, str, int]:
        """What identifies the log; the role of a pod changes."""
        return self.pod, self.container, self.restarts


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which containers are asked for, and the words for `kubectl logs`."""

    roles: frozenset[Role]
    container: str
    fetch: bool
    previous: bool
    words: tuple[str, ...]


class Printer:
    """Prints lines of several sources, one at a time."""

    def __init__(self, color: str) -> None:
        self._color, self._lock = color, threading.Lock()
        #: Why nothing more can be printed.
        self.fault: OSError | None = None

    def __call__(self, source: Source, words: str) -> None:
        """Prints a line of a log with its prefix. Raises OSError where that is not possible."""
        prefix = f"[{source.role.value} {source.pod}] "
        with self._lock:
            write([line(Span(prefix, ROLE_STYLES[source.role]), words.rstrip("\n"))], self._color)

    def note(self, words: str) -> None:
        """Prints a remark of ours to stderr."""
        with self._lock:
            echo(words, err=True)


@click.command("logs")
@click.argument("name")
@click.option("--candidate", is_flag=True, help="Pods of the candidate.")
@click.option("--stable", is_flag=True, help="Pods of stable.")
@click.option("--failed", is_flag=True, help="Pods of the failed revision, while they exist.")
@click.option("--fetch", is_flag=True, help="The fetcher, which downloads the model.")
@click.option("-c", "--container", default="", metavar="NAME", help="Default: the model server.")
@click.option("-p", "--previous", is_flag=True, help="The container before its last restart.")
@click.option("-f", "--follow", is_flag=True, help="Continue, also with new pods, until Ctrl-C.")
@click.option("--since", type=FOR_KUBECTL, metavar="DURATION", help="Only newer, such as 10m.")
@click.option("--tail", type=click.IntRange(0), metavar="N", help="Only the last N lines of each.")
@connected
def logs_command(
    connection: Connection,
    name: str,
    candidate: bool,
    stable: bool,
    failed: bool,
    fetch: bool,
    container: str,
    previous: bool,
    follow: bool,
    since: str | None,
    tail: int | None,
) -> None:
    """Print the logs of a model's pods; each line begins with the role and the pod.

    Without a role: of all pods. Pods of a version that was rolled back are deleted, and their logs
    with them; `why` shows what the operator kept.
    """
    if fetch and container:
        raise usage("Use either --fetch or --container.")
    if follow and previous:
        raise usage("A container that has ended cannot be followed: remove --follow or --previous.")
    chosen = {Role.CANDIDATE: candidate, Role.STABLE: stable, Role.FAILED: failed}
    wanted = Wanted(
        frozenset(role for role, is_chosen in chosen.items() if is_chosen),
        container,
        fetch,
        previous,
        (
            *(["--previous"] if previous else []),
            *([f"--since={since}"] if since else []),
            *([] if tail is None else [f"--tail={tail}"]),
        ),
    )
    printer = Printer(connection.color)
    if follow:
        _follow(connection.kubectl, name, wanted, printer)
        return
    snapshot = objects_of(connection.kubectl, name, PODS)
    sources = list(_sources(snapshot, wanted))
    if not sources:
        raise not_found(_nothing(snapshot, name, wanted))
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        logs = pool.map(lambda source: _read(connection.kubectl, source, wanted), sources)
        read = list(zip(sources, logs, strict=True))
    faults = [log for _, log in read if isinstance(log, CliError)]
    if len(faults) == len(sources):
        raise faults[0]
    for source, log in read:
        if isinstance(log, CliError):
            printer.note(f"[{source.role.value} {source.pod}] {log.message}")
            continue
        for words in log.splitlines():
            printer(source, words)
    # A pod that was deleted meanwhile has no log; another fault hides one.
    hidden = [fault for fault in faults if fault.code is not Exit.NOT_FOUND]
    if hidden:
        raise SystemExit(int(hidden[0].code))


def _sources(snapshot: Objects, wanted: Wanted) -> Iterator[Source]:
    """Yields the containers that are wanted and have a log, pods in the order of their names."""
    for pod in snapshot.pods:
        role = role_of(snapshot.model, label(pod, REVISION_LABEL))
        if wanted.roles and role not in wanted.roles:
            continue
        container = _container(pod, wanted)
        status = _status(pod, container)
        if container and _has_log(status, wanted.previous):
            name, restarts = text(part(pod, "metadata"), "name"), number(status, "restartCount")
            yield Source(name, role, container, restarts)


def _container(pod: Raw, wanted: Wanted) -> str:
    """Returns the name of the container; empty if the pod has none of that name."""
    spec = part(pod, "spec")
    inits = [text(x, "name") for x in items(spec, "initContainers")]
    others = [text(x, "name") for x in items(spec, "containers")]
    if wanted.fetch:
        return _FETCHER if _FETCHER in inits else ""
    if wanted.container:
        return wanted.container if wanted.container in (*inits, *others) else ""
    return _SERVER if _SERVER in others else next(iter(others), "")


def _status(pod: Raw, container: str) -> Raw:
    status = part(pod, "status")
    every = (*items(status, "initContainerStatuses"), *items(status, "containerStatuses"))
    return next((x for x in every if text(x, "name") == container), {})


def _has_log(status: Raw, previous: bool) -> bool:
    """Whether a container has run; with `previous`, whether it has run before."""
    before = bool(part(status, "lastState", "terminated"))
    now = part(status, "state", "running") or part(status, "state", "terminated")
    return before if previous else before or bool(now)


def _nothing(snapshot: Objects, name: str, wanted: Wanted) -> str:
    """Why there is nothing to print, and what to do."""
    failure = view(snapshot, time.time()).failure
    if wanted.roles == {Role.FAILED} and failure:
        return (
            f"The pods of the failed revision {failure.revision} are deleted, and their logs with "
            f"them. What the operator kept: {failure.reason}: {failure.message}"
        )
    roles = " or ".join(sorted(role.value.lower() for role in wanted.roles))
    which = f"{name} has no pods of role {roles}" if roles else f"{name} has no pods"
    if wanted.previous:
        return f"{which} with a container that was restarted. Try without --previous."
    what = "the fetcher" if wanted.fetch else f"container {wanted.container or _SERVER}"
    return f"{which} in which {what} has run. `kubectl modeldeploy get {name}` shows its pods."


def _command(kubectl: Kubectl, source: Source, words: Iterable[str]) -> list[str]:
    return kubectl.command("logs", source.pod, f"--container={source.container}", *words)


def _read(kubectl: Kubectl, source: Source, wanted: Wanted) -> str | CliError:
    """The log, or why there is none."""
    words = _command(kubectl, source, wanted.words)
    # A line that is not valid UTF-8 must not hide the rest of the log.
    done = subprocess.run(words, capture_output=True, text=True, errors="replace")
    return fault(done.stderr) if done.returncode else done.stdout


def _follow(kubectl: Kubectl, name: str, wanted: Wanted, printer: Printer) -> None:
    """Follows the logs of present and future pods until Ctrl-C."""
    followed: dict[tuple[str, str, int], subprocess.Popen[str]] = {}
    try:
        with ModelWatch(kubectl, name, kinds=(POD,)) as changes:
            for snapshot in changes:
                if printer.fault:
                    raise printer.fault
                for source in _sources(snapshot, wanted):
                    if source.run in followed:
                        continue
                    if sum(process.poll() is None for process in followed.values()) >= _MOST:
                        raise usage(f"More than {_MOST} pods: select a role, or omit --follow.")
                    followed[source.run] = _start(kubectl, source, wanted, printer)
                if not followed and not changes.ticked:
                    printer.note(_nothing(snapshot, name, wanted) + " Waiting for one.")
    except KeyboardInterrupt:
        raise SystemExit(int(Exit.OK)) from None
    finally:
        for process in followed.values():
            process.terminate()
            process.wait()


def _start(
    kubectl: Kubectl, source: Source, wanted: Wanted, printer: Printer
) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        _command(kubectl, source, (*wanted.words, "--follow")),
        stdin=stdin_of_kubectl(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )

    def copy() -> None:
        assert process.stdout is not None
        try:
            for words in process.stdout:
                printer(source, words)
        except OSError as error:
            printer.fault = error

    threading.Thread(target=copy, daemon=True).start()
    return process
