"""Downloads of released binaries instead of builds from source, where there is internet.

Reading order: `pins` (what can be downloaded, with checksums), `settings` (what the user asks for),
`hosts` (what can be reached), `transfer` (HTTP, resumed when it breaks), `archives` (one member of
an archive), `install` (all of it).

Invariants: only bytes with the pinned checksum are ever installed. A file with another one is an
error and never a reason to build, since someone may have tampered with it. What fails leaves no
file behind.
"""

from sandbox.releases.failures import DownloadFailed, Unavailable, WrongContent
from sandbox.releases.hosts import Hosts
from sandbox.releases.install import downloadable, install
from sandbox.releases.pins import Release, find
from sandbox.releases.settings import Settings, Source

__all__ = [
    "DownloadFailed",
    "Hosts",
    "Release",
    "Settings",
    "Source",
    "Unavailable",
    "WrongContent",
    "downloadable",
    "find",
    "install",
]
