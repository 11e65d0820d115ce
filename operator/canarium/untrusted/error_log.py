"""Reports unexpected exceptions: on one line each, and once until they change.

The cause may be input of a tenant, and it is retried repeatedly: a traceback at each attempt would
bury everything else in the log, and quote text that could forge lines of it.
"""

from __future__ import annotations

import logging
import traceback
from collections import OrderedDict
from collections.abc import Hashable

from canarium.untrusted.quoting import quoted

_MOST = 10_000


class ErrorLog:
    """The last report by key. Tracebacks are logged at level DEBUG."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._last: OrderedDict[Hashable, str] = OrderedDict()

    def report(self, key: Hashable, subject: str, what: str, error: BaseException) -> str:
        """Logs that `what` failed for `subject`, unless that was the last report of `key`.

        Returns the error on one line.
        """
        text = summary(error)
        if self._last.get(key) != text:
            self._log.error("%s: %s failed: %s", quoted(subject, 200), what, text)
            self._last[key] = text
        self._last.move_to_end(key)
        while len(self._last) > _MOST:
            self._last.popitem(last=False)
        self._log.debug("%s", quoted(traceback.format_exc(), 8_000))
        return text

    def forget(self, key: Hashable) -> None:
        """Logs the next report of `key` in any case."""
        self._last.pop(key, None)


def summary(error: BaseException) -> str:
    """Returns the type and text of the error, and the innermost line of this package in its
    traceback."""
    place = ""
    for frame in reversed(traceback.extract_tb(error.__traceback__, limit=-64)):
        _, package, path = frame.filename.rpartition("/canarium/")
        if package:
            place = f" ({path}:{frame.lineno})"
            break
    return f"{type(error).__name__}: {quoted(error, 200)}{place}"
