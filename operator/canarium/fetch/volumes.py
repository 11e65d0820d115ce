"""Models on volumes of the pod: what is mounted is checked where it is."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from canarium.api.uri import Address
from canarium.fetch.digest import Summary, of_tree
from canarium.fetch.errors import FetchError


def mounted(target: Path, address: Address, progress: Callable[[int], None]) -> Summary:
    """Returns the summary of the folder that is mounted at `target`. Raises FetchError."""
    with readable(target, address):
        if not target.exists():
            raise FetchError("NotFound", f"{address} is not there")
        if not target.is_dir():
            text = f"{address} is a file, and by its name it was mounted as a folder: name its "
            text += "folder, or give it an ending for its type, such as .pkl or .tar.gz"
            raise FetchError("InvalidUri", text)
        return of_tree(target, progress)


@contextmanager
def readable(root: Path, address: Address) -> Iterator[None]:
    """Raises a FetchError for each OSError that a volume raises while it is read."""
    try:
        yield
    except OSError as error:
        name = os.path.relpath(error.filename, root) if error.filename else "."
        what = f"{address}{'' if name == '.' else f': {name}'}"
        if isinstance(error, PermissionError):
            raise FetchError(
                "AccessDenied",
                f"{what} may not be read by user {os.geteuid()}",
                advice="set spec.pod.runAsUser or spec.pod.fsGroup to a user or a group that may "
                "read it, change its mode, or name a folder beside it",
            ) from error
        if isinstance(error, FileNotFoundError | NotADirectoryError):
            raise FetchError("SourceChanged", f"{what} disappeared while it was read") from error
        raise FetchError(
            "SourceUnavailable",
            f"{what} cannot be read: {error.strerror}",
            advice="check the volume, and the node that has mounted it",
            passing=True,
        ) from error
