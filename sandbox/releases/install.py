"""A released binary: downloaded, verified, and put in its place."""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path
from urllib.parse import urlsplit

from sandbox.progress import Progress
from sandbox.releases.archives import extract
from sandbox.releases.failures import Unavailable, WrongContent
from sandbox.releases.hosts import Hosts
from sandbox.releases.pins import Release
from sandbox.releases.settings import SOURCE, Settings, Source
from sandbox.releases.transfer import Limits, transfer


def downloadable(release: Release | None, settings: Settings, hosts: Hosts) -> bool:
    """Returns whether a binary is to be downloaded, as opposed to built from source."""
    if release is None or settings.source is Source.BUILD:
        return False
    if settings.source is Source.DOWNLOAD:
        return True
    return hosts.reachable(settings.located(release.url))


def install(
    release: Release,
    target: Path,
    settings: Settings,
    hosts: Hosts,
    progress: Progress,
    limits: Limits | None = None,
) -> bool:
    """Downloads a release to `target`; returns False if it is to be built from source instead.

    Raises WrongContent for a file that is not the pinned one and, if the settings demand a
    download, Unavailable.
    """
    if settings.source is Source.BUILD:
        return False
    url = settings.located(release.url)
    if not downloadable(release, settings, hosts):
        hosts.report(url, progress)
        return False
    title = f"downloading {target.name} {release.version} from {urlsplit(url).netloc} (once)"
    try:
        with progress.step(title, long=True):
            _fetch(release, url, target, limits or Limits())
    except Unavailable as failure:
        if settings.source is Source.DOWNLOAD:
            raise
        if failure.host_fails:
            hosts.give_up(url)
        progress.say(f"{failure}: building from source")
        return False
    return True


def _fetch(release: Release, url: str, target: Path, limits: Limits) -> None:
    folder = target.parent
    folder.mkdir(parents=True, exist_ok=True)
    received = folder / f"{target.name}.download"
    binary = folder / f"{target.name}.part"
    try:
        _verified(release, url, received, limits)
        if release.member is None:
            received.replace(binary)
        else:
            try:
                extract(received, release.member, binary)
            except WrongContent as wrong:
                raise WrongContent(f"{url}: {wrong}") from wrong
        binary.chmod(0o755)
        binary.replace(target)
    finally:
        received.unlink(missing_ok=True)
        binary.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            # Removes it only if it is empty.
            folder.rmdir()


def _verified(release: Release, url: str, received: Path, limits: Limits) -> None:
    """Downloads the file and compares its checksum. Raises WrongContent."""
    if transfer(url, received, limits) and _sha256(received) != release.sha256:
        # The server may have replaced the file between two parts: one whole file decides.
        transfer(url, received, limits)
    actual = _sha256(received)
    if actual != release.sha256:
        raise WrongContent(
            f"{url}: expected sha256 {release.sha256}, found {actual}. The file was deleted. "
            f"Check the server or mirror; {SOURCE}=build builds from source."
        )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
