"""Waits for servers that tests start, until they answer a request with anything."""

from __future__ import annotations

import time
import urllib.error
import urllib.request


def wait_for_answer(url: str, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while True:
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except urllib.error.HTTPError as refused:
            refused.close()
            return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
