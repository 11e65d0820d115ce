"""Which hosts can be reached: decided once per process; a failure is remembered for ten minutes.

Without that memory, each process of a test run would wait for a host that never answers.
"""

from __future__ import annotations

import http.client
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlsplit

from sandbox.progress import Progress
from sandbox.releases.settings import MIRROR, SOURCE

_REMEMBERED = 600.0


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


@dataclass
class Hosts:
    """Hosts that were asked. `folder` has a file per host that did not answer.

    A host has `patience` seconds to answer, name resolution included.
    """

    folder: Path
    patience: float = 3.0
    _answers: dict[str, bool] = field(default_factory=dict)
    _reported: set[str] = field(default_factory=set)

    def reachable(self, url: str) -> bool:
        """Returns whether the host of `url` answers."""
        host = urlsplit(url).netloc
        if host not in self._answers:
            self._answers[host] = not self._failed_lately(host) and self._probe(url)
            if not self._answers[host]:
                self._remember(host)
        return self._answers[host]

    def report(self, url: str, progress: Progress) -> None:
        """Prints, once per host, that the host of `url` does not answer."""
        host = urlsplit(url).netloc
        if host not in self._reported:
            self._reported.add(host)
            progress.say(f"{host} cannot be reached: building from source ({SOURCE}, {MIRROR})")

    def give_up(self, url: str) -> None:
        """Treats the host of `url` as unreachable from now on."""
        host = urlsplit(url).netloc
        self._answers[host] = False
        self._reported.add(host)
        self._remember(host)

    def _probe(self, url: str) -> bool:
        # A thread, because name resolution has no timeout: the system's own may be minutes.
        answered: list[bool] = []
        thread = threading.Thread(
            target=lambda: answered.append(_answers(url, self.patience)), daemon=True
        )
        thread.start()
        thread.join(self.patience)
        return answered == [True]

    def _record(self, host: str) -> Path:
        return self.folder / quote(host, safe="")

    def _failed_lately(self, host: str) -> bool:
        try:
            return time.time() - self._record(host).stat().st_mtime < _REMEMBERED
        except FileNotFoundError:
            return False

    def _remember(self, host: str) -> None:
        if not self._failed_lately(host):
            self.folder.mkdir(parents=True, exist_ok=True)
            self._record(host).touch()


def _answers(url: str, timeout: float) -> bool:
    """Whether anything answers a HEAD request, with any status, over the user's proxy."""
    request = urllib.request.Request(url, method="HEAD")
    try:
        with urllib.request.build_opener(_NoRedirect).open(request, timeout=timeout):
            return True
    except urllib.error.HTTPError:
        return True
    except (OSError, http.client.HTTPException):
        return False
