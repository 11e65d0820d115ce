"""The steps that make a release from a tag, as data: which commands run, in which order.

A step that publishes cannot be undone, so all of them follow what can fail. The exception is
the push of the images: the checksums cover their digests, which a registry assigns. The tag is
last: a tag exists only of a release that is complete.
"""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from release.assets import SUMS

#: What signatures are made for, so that one for another purpose does not pass.
PURPOSE = "canarium"
IDENTITY = "release@canarium.dev"
#: The public keys of those who may release, in the format of ssh-keygen's allowed signers.
SIGNERS = "dev/release/signers"
DIST = "dist"
_SIGNATURE = f"{DIST}/{SUMS}.sig"


@dataclass(frozen=True)
class Release:
    """What the maintainer asks for.

    `build` are options of `docker build`. `sign` is a shell command that signs the file which is
    appended to it, into a file `.sig` beside it; without one, `key` signs by ssh-keygen. `verify`
    is a shell command that checks the signature. `archives` are command lines that were built
    before, `platform` is that of this machine.
    """

    version: str
    registry: str | None
    dry_run: bool
    build: str = ""
    key: Path | None = None
    sign: str = ""
    verify: str = ""
    archives: tuple[Path, ...] = ()
    platform: str = ""

    @property
    def tag(self) -> str:
        """The name of the tag."""
        return f"v{self.version}"

    @property
    def destination(self) -> str:
        """The registry, or what stands for it in the output of a dry run without one."""
        return self.registry or "REGISTRY"


@dataclass(frozen=True)
class Step:
    """A command and what it is for. One that `publishes` is left out of a dry run."""

    title: str
    command: tuple[str, ...]
    publishes: bool = False


def steps(release: Release) -> list[Step]:
    """Returns all steps in their order, those that publish included."""
    images = f"REGISTRY={release.destination}"
    build = (f"BUILD={release.build}",) if release.build else ()
    return [
        Step("build the wheels", ("make", "dist")),
        Step("write the bills of materials", ("make", "sbom", *build)),
        *_command_line(release),
        Step("write the krew manifest", _module("krew", release)),
        Step("write the Homebrew formula", _module("brew", release)),
        Step("build the images", ("make", "images", *build)),
        Step("push the images", ("make", "push", images, *build), publishes=True),
        Step("record the digests of the images", ("make", "digests", images), publishes=True),
        Step(
            "write chart, manifests, notes and checksums",
            ("make", "assets", *((images,) if release.registry else ())),
        ),
        Step("sign the checksums", _shell(f"{_signing(release)} {DIST}/{SUMS}")),
        Step("verify the signature", _shell(_verification(release))),
        Step("push the chart", _chart(release), publishes=True),
        Step("create the tag", _tag(release), publishes=True),
    ]


def _command_line(release: Release) -> list[Step]:
    copied = [Step(f"copy {path.name}", ("cp", str(path), f"{DIST}/")) for path in release.archives]
    if any(path.name.endswith(f"-{release.platform}.tar.gz") for path in release.archives):
        return copied
    return [*copied, Step("build the command line", ("make", "dist-cli", "SCIE=1"))]


def _module(name: str, release: Release) -> tuple[str, ...]:
    return sys.executable, "-m", f"release.{name}", release.tag, DIST


def _shell(command: str) -> tuple[str, ...]:
    return "sh", "-c", command


def _signing(release: Release) -> str:
    if release.sign:
        return release.sign
    return f"ssh-keygen -q -Y sign -n {PURPOSE} -f {shlex.quote(str(release.key))}"


def _verification(release: Release) -> str:
    if release.verify:
        return release.verify
    if release.sign:
        return f"test -s {_SIGNATURE}"
    who = f"verify -f {SIGNERS} -I {IDENTITY}"
    # A rehearsal may use any key: its signature has to be sound, but not one of a maintainer.
    how = "check-novalidate" if release.dry_run else who
    return f"ssh-keygen -Y {how} -n {PURPOSE} -s {_SIGNATURE} < {DIST}/{SUMS}"


def _chart(release: Release) -> tuple[str, ...]:
    # Not beside the images: the operator's has the name of the chart.
    target = f"oci://{release.destination}/charts"
    command = ("helm", "push", f"{DIST}/canarium-{release.version}.tgz", target)
    host = release.destination.partition("/")[0].partition(":")[0]
    # As Docker does, helm speaks plain HTTP to registries of this machine.
    return (*command, "--plain-http") if host in ("localhost", "127.0.0.1") else command


def _tag(release: Release) -> tuple[str, ...]:
    by_key = ("-c", "gpg.format=ssh", "-c", f"user.signingKey={release.key}")
    message = f"Canarium {release.version}"
    return ("git", *(() if release.sign else by_key), "tag", "-s", release.tag, "-m", message)
