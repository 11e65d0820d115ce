"""What prevents a release from being made, before anything is built."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from release.assets import notes
from release.bill import bases
from release.steps import SIGNERS, Release
from release.version import Unusable, stated


def faults(release: Release, root: Path) -> Iterator[str]:
    """Yields what is wrong, each with its remedy; nothing if the release can be made."""
    yield from _sources(release, root)
    for program in ("git", "make", "docker", "helm", *(() if release.sign else ("ssh-keygen",))):
        if shutil.which(program) is None:
            yield f"{program} is not on the PATH: install it"
    if not release.sign:
        yield from _key(release, root)
    if not release.dry_run:
        yield from _target(release, root)


def _sources(release: Release, root: Path) -> Iterator[str]:
    changed = _git(root, "status", "--porcelain")
    if changed:
        yield f"the tree is not clean: commit or delete {changed.splitlines()[0][3:]}"
    if _git(root, "tag", "--list", release.tag):
        yield f"the tag {release.tag} exists: releases do not change, choose the next version"
    for name, versions in stated(root).items():
        if versions != {release.version}:
            yield (
                f"{name} states {', '.join(sorted(versions)) or 'nothing'}, not {release.version}:"
                f" run `python -m release {release.tag}` and commit the result"
            )
    changelog = (root / "CHANGELOG.md").read_text()
    try:
        notes(changelog, release.version)
    except Unusable as error:
        yield str(error)
    # A rehearsal is possible before the day of the release.
    if not release.dry_run and f"## {release.version} (unreleased)" in changelog:
        yield (
            f"CHANGELOG.md: the section {release.version} has no date:"
            f" run `python -m release {release.tag}` and commit the result"
        )


def _key(release: Release, root: Path) -> Iterator[str]:
    if release.key is None or not release.key.is_file():
        yield (
            f"KEY={release.key or ''}: no such file; name an SSH key by KEY=, or another command"
            " by SIGN="
        )
        return
    if release.dry_run:
        return
    public = release.key if release.key.suffix == ".pub" else Path(f"{release.key}.pub")
    signers = (root / SIGNERS).read_text().splitlines()
    allowed = {word for line in signers if not line.startswith("#") for word in line.split()}
    if not public.is_file():
        yield f"KEY={release.key}: {public} is missing; write it by `ssh-keygen -y`"
    elif public.read_text().split()[1] not in allowed:
        yield f"KEY={release.key}: its public key is not in {SIGNERS}, so users would refuse it"


def _target(release: Release, root: Path) -> Iterator[str]:
    if not release.registry:
        yield "REGISTRY is missing: name where images and chart are pushed, or use DRY_RUN=1"
    try:
        images = bases((root / "Dockerfile").read_text(), release.build.split())
    except Unusable as error:
        yield str(error)
        return
    for name, image in images.items():
        if "@sha256:" not in image:
            yield (
                f"{name}={image} is not pinned by digest:"
                f' use BUILD="--build-arg {name}={image}@sha256:DIGEST"'
            )


def _git(root: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(root), *words], capture_output=True, text=True, check=True
    )
    return done.stdout.rstrip("\n")
