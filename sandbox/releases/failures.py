"""Why a download failed: whether a build can take its place depends on the class."""

from __future__ import annotations


class DownloadFailed(RuntimeError):
    """A released binary could not be downloaded; the text names the file and the reason."""


class Unavailable(DownloadFailed):
    """The file did not arrive: building from source is as good.

    `host_fails` is whether other files of that host can be expected to fail, too.
    """

    def __init__(self, text: str, *, host_fails: bool) -> None:
        super().__init__(text)
        self.host_fails = host_fails


class WrongContent(DownloadFailed):
    """The file arrived and is not the pinned one. Never a reason to build silently."""
