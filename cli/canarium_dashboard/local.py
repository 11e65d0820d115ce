"""The dashboard on the user's machine: loopback only, with the rights of the kubeconfig.

`kubectl proxy` makes every request to the cluster, so contexts, exec plugins and `--as` work as
they do for kubectl. It listens on a Unix socket in a folder that only this user can enter, so that
neither other users nor pages of other sites can reach it.
"""

from __future__ import annotations

import contextlib
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from canarium_dashboard.access.local import LocalAccess
from canarium_dashboard.api import Api
from canarium_dashboard.app import create_app
from canarium_dashboard.opening import browse as open_page
from canarium_dashboard.opening import write_page
from canarium_dashboard.serve import server
from canarium_dashboard.settings import Settings

#: Host names under which a browser on this machine may call the dashboard.
HOSTS = frozenset(("localhost", "127.0.0.1"))
_START = 20.0


class ProxyFailed(Exception):
    """`kubectl proxy` did not start; `str()` is what it printed."""


@contextlib.contextmanager
def kubectl_proxy(command: Callable[..., list[str]]) -> Iterator[Path]:
    """Runs `kubectl proxy` while the block runs; yields the path of its socket.

    `command` returns the command line of kubectl for some words. Raises ProxyFailed.
    """
    with tempfile.TemporaryDirectory(prefix="canarium-") as folder:
        path = Path(folder) / "api.sock"
        words = command("proxy", f"--unix-socket={path}")
        process = subprocess.Popen(
            words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        try:
            _wait(process, path)
            yield path
        finally:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stderr:
                process.stderr.close()


def _wait(process: subprocess.Popen[str], path: Path) -> None:
    end = time.monotonic() + _START
    while time.monotonic() < end:
        if process.poll() is not None:
            assert process.stderr
            raise ProxyFailed(process.stderr.read() or "kubectl proxy ended without a message")
        if path.exists():
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as client:
                client.connect(str(path))
                return
        time.sleep(0.02)
    raise ProxyFailed(f"kubectl proxy did not start within {_START:g} s")


def run(
    command: Callable[..., list[str]],
    *,
    port: int,
    browse: bool,
    actions: bool,
    namespaces: tuple[str, ...],
    kubectl_words: tuple[str, ...],
    show: Callable[[str], None],
) -> None:
    """Serves the dashboard until it is interrupted; `show` gets the address with its key, and what
    else the user has to know.

    Raises ProxyFailed, or OSError if the port is in use.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        bound = listener.getsockname()[1]
        with kubectl_proxy(command) as path:
            access = LocalAccess()
            settings = Settings(
                actions=actions, hosts=HOSTS, namespaces=namespaces, kubectl_words=kubectl_words
            )
            app = create_app(settings, access, Api("http://localhost", socket=path))
            address = f"http://127.0.0.1:{bound}/?key="

            def opened() -> None:
                page = write_page(path.parent, address + access.key_for_one_use())
                if not open_page(page):
                    show("No browser was found: open the address yourself.")

            def started() -> None:
                show(f"Dashboard: {address}{access.key}\nStop it with Ctrl-C.")
                if browse:
                    # Some browsers are waited for, and would get no answer from this thread.
                    threading.Thread(target=opened, daemon=True).start()

            server(app, started).run(sockets=[listener])
