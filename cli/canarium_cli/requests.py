"""Ways to send a request to a model, each request over a separate connection.

- `ServiceProxy`: to the Service through the API server, which picks a random ready endpoint for
  each request (`ResourceLocation` in kubernetes/pkg/registry/core/service). `kubectl port-forward`
  to a Service would pick one pod, once.
- `EndpointProxy`: to a random ready endpoint of the Service, which this program picks for each
  request, so that it knows which pod answered.
- `Forward`: to one pod, or one pod of a gateway's Service, through `kubectl port-forward`.
- `Address`: to a URL, such as that of a gateway, directly from this machine.
"""

from __future__ import annotations

import http.client
import json
import queue
import random
import re
import socket
import ssl
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Protocol, Self
from urllib.parse import urlsplit

from canarium.view.inference import Request
from canarium_cli.exits import CliError, Exit, unreachable, usage
from canarium_cli.faults import fault
from canarium_cli.kubectl import Kubectl
from canarium_cli.processes import not_started, stdin_of_kubectl

#: Largest answer that is read, in bytes.
_LARGEST = 16 * 1024 * 1024
#: Codes of OpenSSL (X509_V_ERR_* in x509_vfy.h): a certificate that it cannot trace to an authority
#: it trusts, one that is not valid yet or has expired, and one for another host or address.
_UNKNOWN_AUTHORITY, _WRONG_TIME, _WRONG_HOST = (18, 19, 20, 21), (9, 10), (62, 64)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer. Header names are in lower case; `pod` is empty where another program chose it.

    `foreign`: something before the model answered, such as a gateway that has no endpoint.
    """

    status: int
    headers: Mapping[str, str]
    body: str
    milliseconds: float
    pod: str = ""
    foreign: bool = False

    @property
    def is_error(self) -> bool:
        """Whether a caller has no answer of the model, or an error."""
        return self.foreign or self.status >= 400


class Sender(Protocol):
    """A way to the model, open within `with`."""

    #: How requests travel, for people.
    route: str

    def __enter__(self) -> Self: ...
    def __exit__(self, *error: object) -> None: ...
    def send(self, request: Request, headers: Mapping[str, str], timeout: float) -> Reply:
        """Raises CliError without an answer of the model within `timeout` seconds."""
        ...


class _ApiProxy:
    """Objects of a namespace through the API server's proxy.

    `kubectl proxy` listens on a socket in a folder that only this user may enter, and forwards only
    requests to these objects, each a path such as `services/fraud:http`.
    """

    route: str

    def __init__(self, kubectl: Kubectl, namespace: str, targets: Sequence[str]) -> None:
        self._kubectl = kubectl
        self._prefixes = {x: f"/api/v1/namespaces/{namespace}/{x}/proxy" for x in targets}
        self._stack = ExitStack()
        self._socket = ""

    def __enter__(self) -> Self:
        paths = ",".join(f"^{re.escape(prefix)}/" for prefix in self._prefixes.values())
        # Also where it fails, neither the process nor the folder may be left behind.
        with ExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="modeldeploy-"))
            self._socket = str(Path(folder) / "proxy")
            command = self._kubectl.command(
                "proxy", f"--unix-socket={self._socket}", f"--accept-paths={paths}"
            )
            stack.enter_context(_listening(command, "Starting to serve"))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def _ask(
        self, target: str, request: Request, headers: Mapping[str, str], timeout: float
    ) -> Reply:
        connection = _UnixConnection(self._socket, timeout)
        reply = _exchange(connection, self._prefixes[target] + request.path, request.body, headers)
        kind, _, name = target.partition("/")
        _raise_for_api_server(reply, f"{kind.removesuffix('s')}/{name.partition(':')[0]}")
        return reply


class ServiceProxy(_ApiProxy):
    """The Service through the API server's proxy."""

    def __init__(self, kubectl: Kubectl, namespace: str, service: str, port: str) -> None:
        self._target = f"services/{service}:{port}"
        super().__init__(kubectl, namespace, [self._target])
        self.route = f"service/{service} through the API server, which picks a ready endpoint"

    def send(self, request: Request, headers: Mapping[str, str], timeout: float) -> Reply:
        """Raises CliError without an answer of the model."""
        return self._ask(self._target, request, headers, timeout)


class EndpointProxy(_ApiProxy):
    """A random ready endpoint of a Service for each request, through the API server's proxy.

    `ports` are the pods' names with the port of their server; at least one.
    """

    def __init__(
        self, kubectl: Kubectl, namespace: str, service: str, ports: Mapping[str, int]
    ) -> None:
        self._pods = {f"pods/{name}:{port}": name for name, port in ports.items()}
        super().__init__(kubectl, namespace, list(self._pods))
        self.route = (
            f"a random one of the {len(ports)} ready endpoints of service/{service} each, "
            "through the API server"
        )

    def send(self, request: Request, headers: Mapping[str, str], timeout: float) -> Reply:
        """Raises CliError without an answer of the model."""
        target = random.choice(list(self._pods))
        reply = self._ask(target, request, headers, timeout)
        return replace(reply, pod=self._pods[target])


class Forward:
    """A pod, or one pod of a Service, through `kubectl port-forward`: `target` is such as
    `pod/fraud-1`. `host` is the Host header; empty for that of the connection."""

    def __init__(
        self, kubectl: Kubectl, target: str, port: int, *, host: str = "", secure: bool = False
    ) -> None:
        self._command = kubectl.command("port-forward", target, f":{port}")
        self.route = f"{target} through kubectl port-forward" + (f" as host {host}" if host else "")
        self._host, self._secure = host, secure
        self._stack = ExitStack()
        self._port = 0

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            line = stack.enter_context(_listening(self._command, "Forwarding from"))
            match = re.search(r":(\d+) ->", line)
            if not match:
                raise unreachable(f"kubectl port-forward did not name its port: {line}")
            self._port = int(match[1])
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def send(self, request: Request, headers: Mapping[str, str], timeout: float) -> Reply:
        """Raises CliError without an answer of the model."""
        connection = _connection("127.0.0.1", self._port, self._host, self._secure, timeout)
        all_headers = {**headers, "Host": self._host} if self._host else headers
        return _exchange(connection, request.path, request.body, all_headers)


class Address:
    """A URL, reached from this machine. `host` is the Host header; empty for that of the URL."""

    def __init__(self, url: str, host: str = "") -> None:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise usage(f"{url!r} is not an address such as http://gateway.example.com:8080.")
        try:
            port = parts.port
        except ValueError:
            raise usage(f"{url!r} has no valid port.") from None
        self._secure, self._server = parts.scheme == "https", parts.hostname
        self._port = port or (443 if self._secure else 80)
        self._prefix, self._host = parts.path.rstrip("/"), host
        self.route = f"{parts.scheme}://{parts.netloc}" + (f" as host {host}" if host else "")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None: ...

    def send(self, request: Request, headers: Mapping[str, str], timeout: float) -> Reply:
        """Raises CliError without an answer of the model."""
        connection = _connection(self._server, self._port, self._host, self._secure, timeout)
        all_headers = {**headers, "Host": self._host} if self._host else headers
        return _exchange(connection, self._prefix + request.path, request.body, all_headers)


def _connection(
    server: str, port: int, host: str, secure: bool, timeout: float
) -> http.client.HTTPConnection:
    if not secure:
        return http.client.HTTPConnection(server, port, timeout=timeout)
    return _SecureConnection(server, port, host or server, timeout)


class _SecureConnection(http.client.HTTPSConnection):
    """HTTP over TLS with the name that the certificate has to be for: a gateway chooses its
    listener by it."""

    def __init__(self, server: str, port: int, name: str, timeout: float) -> None:
        self._trust = ssl.create_default_context()
        super().__init__(server, port, timeout=timeout, context=self._trust)
        self._name = name

    def connect(self) -> None:
        # First, since `wrap_socket` closes the socket after other errors only.
        self._name.encode("idna")
        plain = socket.create_connection((self.host, self.port), self.timeout)
        self.sock = self._trust.wrap_socket(plain, server_hostname=self._name)


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _exchange(
    connection: http.client.HTTPConnection, path: str, body: str | None, headers: Mapping[str, str]
) -> Reply:
    method = "GET" if body is None else "POST"
    start = time.monotonic()
    try:
        data = None if body is None else body.encode()
        connection.request(method, path, body=data, headers=dict(headers))
        answer = connection.getresponse()
        content = answer.read(_LARGEST).decode(errors="replace")
    except TimeoutError:
        raise CliError(
            f"{method} {path}: no answer within {connection.timeout:g} s. Raise --timeout.",
            Exit.TIMEOUT,
        ) from None
    except ssl.SSLCertVerificationError as error:
        reason = error.verify_message.rstrip(".")
        raise unreachable(
            f"{method} {path}: the certificate is not accepted: {reason}. {_remedy(error)}"
        ) from None
    except (OSError, UnicodeError, http.client.HTTPException) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise unreachable(
            f"{method} {path}: no answer: {reason}. Check the address, and that pods are ready."
        ) from None
    finally:
        connection.close()
    named = {name.lower(): value for name, value in answer.getheaders()}
    return Reply(answer.status, named, content, (time.monotonic() - start) * 1000)


def _remedy(error: ssl.SSLCertVerificationError) -> str:
    """What to do about a certificate that was not accepted."""
    if error.verify_code in _UNKNOWN_AUTHORITY:
        return "Set SSL_CERT_FILE to the certificates of its authority."
    if error.verify_code in _WRONG_TIME:
        return "Renew the certificate of the listener, or correct the clock of this machine."
    if error.verify_code in _WRONG_HOST:
        return "Check the hosts of the route, the certificate of the listener and the address."
    return "Check the certificate of the listener."


def _raise_for_api_server(reply: Reply, target: str) -> None:
    """Raises CliError when the API server answered in place of the model."""
    if reply.status < 400:
        return
    try:
        status = json.loads(reply.body)
    except (ValueError, RecursionError):
        return
    if not isinstance(status, dict) or status.get("kind") != "Status":
        return
    message = str(status.get("message", "")).rstrip(".")
    if status.get("reason") == "ServiceUnavailable" and "no endpoints" in message:
        raise unreachable(
            f"{target} has no ready endpoint, so callers get no answer. "
            "`kubectl modeldeploy why` explains it."
        )
    if reply.status == 401:
        raise fault(f"error: You must be logged in to the server ({message})")
    if reply.status == 403:
        raise fault(f"Error from server (Forbidden): {message}")
    raise unreachable(f"{target}: {message}.")


@contextmanager
def _listening(command: Sequence[str], begin: str) -> Iterator[str]:
    """Runs kubectl within `with`, and yields the line with which it reports that it listens.

    Raises CliError if it ends before that.
    """
    # A file, since nothing reads it meanwhile: a full pipe would block kubectl.
    with tempfile.TemporaryFile("w+", errors="replace") as errors:
        try:
            process = subprocess.Popen(
                command,
                stdin=stdin_of_kubectl(),
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                errors="replace",
            )
        except OSError as error:
            raise not_started(command, error) from None
        assert process.stdout is not None
        lines = queue.Queue[str]()
        # It prints a line for each connection, so its stdout is read until it ends.
        reader = threading.Thread(target=_read, args=(process.stdout, begin, lines), daemon=True)
        reader.start()
        try:
            line = lines.get()
            if not line:
                process.wait()
                errors.seek(0)
                raise fault(errors.read())
            yield line
        finally:
            if process.poll() is None:
                process.terminate()
            process.wait()
            # Not for long: a process that kubectl has started may hold the pipe open.
            reader.join(1.0)


def _read(stream: IO[str], begin: str, lines: queue.Queue[str]) -> None:
    """Reads a stream to its end; passes on the lines that begin so, and then an empty one."""
    with stream:
        for line in stream:
            if line.startswith(begin):
                lines.put(line)
    lines.put("")
