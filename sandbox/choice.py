"""Which kind of sandbox a machine gets, and why. Pure: facts in, a choice out."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.options import Mode


class NoMode(RuntimeError):
    """The machine cannot run the requested sandbox; the text states what it lacks."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a machine offers. `missing` are Debian packages that a native node needs; `built` is
    whether its binaries are in the cache already, `released` whether they can be downloaded."""

    named_cluster: bool = False
    docker: bool = False
    kind: bool = False
    linux: bool = True
    root: bool = False
    namespaces: bool = False
    missing: tuple[str, ...] = ()
    can_install: bool = False
    built: bool = False
    released: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """A mode, and one sentence on why it is this one; `install` are packages to install first."""

    mode: Mode
    reason: str
    install: tuple[str, ...] = ()


def choose(facts: Facts, forced: Mode | None = None, *, install: bool = False) -> Choice:
    """The mode to use: the one that is forced, else the best that the facts allow.

    Raises NoMode when the forced mode is not to be had, or one command would make a real node
    possible: a simulated one in its place would surprise.
    """
    if forced is not None:
        return _forced(facts, forced, install)
    if facts.named_cluster:
        return Choice(Mode.EXTERNAL, "you named a cluster")
    if facts.docker and facts.kind:
        return Choice(Mode.KIND, "Docker runs and kind is installed")
    no_kind = "no running Docker" if not facts.docker else "no kind"
    obstacle = _native_obstacle(facts)
    if obstacle is None:
        return _native(facts, install, f"root on Linux ({no_kind})")
    if facts.linux:
        return Choice(Mode.SIMULATED, f"{no_kind}, {obstacle}: pods are only simulated")
    raise NoMode(f"no sandbox here: {no_kind}, {obstacle}; name a cluster with --kubeconfig")


def _forced(facts: Facts, forced: Mode, install: bool) -> Choice:
    reason = "asked for"
    if forced is Mode.EXTERNAL and not facts.named_cluster:
        raise NoMode("external: name a cluster with --kubeconfig or --context")
    if forced is Mode.KIND and not (facts.docker and facts.kind):
        raise NoMode("kind: needs a running Docker engine and the kind binary")
    if forced is Mode.NATIVE:
        obstacle = _native_obstacle(facts)
        if obstacle:
            raise NoMode(f"native: {obstacle}")
        return _native(facts, install, reason)
    if forced in (Mode.SIMULATED, Mode.CONTROL_PLANE) and not facts.linux:
        raise NoMode(f"{forced}: needs Linux")
    return Choice(forced, reason)


def _native(facts: Facts, install: bool, reason: str) -> Choice:
    if not facts.missing or (install and facts.can_install):
        return Choice(Mode.NATIVE, reason, facts.missing)
    command = f"apt-get update && apt-get install -y --no-install-recommends {_words(facts)}"
    raise NoMode(
        f"a real node needs {_words(facts)}; run\n  {command}\n"
        "or `up --install`, or take `--mode simulated`, where no traffic flows"
    )


def _native_obstacle(facts: Facts) -> str | None:
    """What stands against a native node that no package would cure."""
    if not facts.linux:
        return "not Linux"
    if not facts.root:
        return "not root"
    if not facts.namespaces:
        return "no right to make namespaces"
    if facts.missing and not facts.can_install:
        return f"without {_words(facts)} and not on Debian"
    return None


def _words(facts: Facts) -> str:
    return " ".join(facts.missing)


def duration(mode: Mode, facts: Facts) -> str:
    """How long `up` takes in a mode, for a person who waits; builds were measured on two cores."""
    if mode is Mode.EXTERNAL:
        return "a second"
    if mode is Mode.KIND:
        return "about a minute, and the download of kind's node image once"
    if facts.built:
        return "a few seconds"
    if not facts.released:
        return "8 to 20 minutes once, to build Kubernetes"
    if mode is Mode.NATIVE:
        return "3 to 10 minutes once, to download Kubernetes and build CoreDNS"
    return "some minutes once, to download Kubernetes"
