"""Opens the browser without a secret in a command line, which every user of the machine can read.

The browser gets the path of a file that only this user can read. The page in it leads on to the
dashboard, with a key that is valid once. Jupyter opens its pages in the same way.
"""

from __future__ import annotations

import html
import os
import webbrowser
from pathlib import Path

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="referrer" content="no-referrer">
<meta http-equiv="refresh" content="0; url={address}">
<title>Canarium</title>
<p>The dashboard opens by itself. If it does not, <a href="{address}">open it</a>.</p>
</html>
"""


def write_page(folder: Path, address: str) -> Path:
    """Writes a page that leads to `address` and that only this user can read; returns its path.

    `folder` has to exist. Raises OSError.
    """
    path = folder / "dashboard.html"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(_PAGE.format(address=html.escape(address)))
    return path


def browse(path: Path) -> bool:
    """Opens a page in the browser; returns whether one was found. Waits for browsers that run in
    the terminal."""
    return webbrowser.open(path.as_uri())
