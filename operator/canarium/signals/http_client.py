"""The HTTP client for requests on behalf of users: bounded, and only to acceptable addresses.

Redirects are not followed, and proxies of the operator's environment are not used. An address is
checked three times: as the URL has it, as the name resolves, and as the socket connects to it; the
last check alone would be enough, the others give better messages. Addresses of pods come from the
cluster, so what an administrator refuses in addition does not apply to them.

No message quotes more of a URL than scheme, host and port.
"""

from __future__ import annotations

import asyncio
import errno
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import aiohttp
from multidict import MultiMapping
from yarl import URL

from canarium.api.reasons import ConnectionLoss
from canarium.signals.addresses import AddressPolicy, parse
from canarium.signals.connections import Refusal, connector
from canarium.signals.errors import AddressRefused, NoAnswer, Unreachable, Untrusted
from canarium.signals.redaction import shown
from canarium.untrusted.quoting import quoted

__all__ = ["LONGEST", "HttpClient", "NoAnswer", "Response", "Untrusted"]

#: Maximum bytes of a response, unless a request sets fewer; more is an error.
LONGEST = 8 << 20
#: Seconds for a connection: the kernel of a reachable node answers in milliseconds, and one lost
#: packet is sent again after one and three seconds.
_CONNECT = 5.0
#: Headers that decide where a request ends. A wrong one would turn the rest of a body into another
#: request on a connection that other namespaces use next.
_FRAMING = frozenset(
    {
        *("connection", "content-length", "expect", "keep-alive"),
        *("te", "trailer", "transfer-encoding", "upgrade"),
    }
)
#: Where a request is sent follows from its URL; only a signature (`exact`) contains that header.
_RESERVED = _FRAMING | {"host"}
_ROUTES = frozenset({errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN})


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP answer, the seconds that it took, and its headers, of which the client's parser
    bounds each."""

    status: int
    body: bytes
    seconds: float
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    def values(self, name: str) -> list[str]:
        """Returns the values of all headers `name`, in their order."""
        if isinstance(self.headers, MultiMapping):
            return list(self.headers.getall(name, ()))
        return [self.headers[name]] if name in self.headers else []


class HttpClient:
    """Two sessions: one for the URLs that users name, one for pods."""

    def __init__(self, policy: AddressPolicy = AddressPolicy.DEFAULT) -> None:
        self._policies = {False: policy, True: policy.without_additions()}
        self._sessions: dict[bool, aiohttp.ClientSession] = {}

    async def close(self) -> None:
        for session in self._sessions.values():
            await session.close()
        self._sessions.clear()

    def check(self, host: str, *, pod: bool = False) -> None:
        """Raises AddressRefused when `host` is an address that is not connected to."""
        policy = self._policies[pod]
        if (address := parse(host)) and not policy.allows_host(host):
            kind = policy.refusal(address)
            if kind:
                raise _refused(host, kind)

    async def request(
        self,
        method: str,
        url: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        patience: float = 10.0,
        tls: ssl.SSLContext | None = None,
        pod: bool = False,
        exact: bool = False,
        longest: int | None = None,
        received: Callable[[int], None] | None = None,
        proxy: str | None = None,
    ) -> Response:
        """Sends one request; `pod`: the address comes from the cluster, not from a user; `exact`:
        the URL is encoded already, and is sent as it is; `longest`: maximum bytes of the body.

        `proxy` is the URL of a proxy that an administrator configured: it resolves the name of the
        host, and only its own address and addresses in the URL are checked.
        `received` is called with the length of each part of the body; it may raise NoAnswer.
        Raises NoAnswer when the response is missing, too large or too late; Unreachable when the
        connection failed, or was lost before the response began.
        """
        self.check(_host(url), pod=pod)
        reserved = _FRAMING if exact else _RESERVED
        if not pod and (own := reserved.intersection(name.lower() for name in headers or ())):
            raise NoAnswer(f"the header {min(own)} belongs to the HTTP client")
        began = asyncio.get_running_loop().time()
        connected = _Connected()
        async with (
            _explained(url, patience, connected),
            self._session(pod).request(
                method,
                URL(url, encoded=True) if exact else url,
                data=body,
                headers=dict(headers or {}),
                params=dict(query or {}) or None,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=patience, sock_connect=_CONNECT),
                ssl=tls if tls is not None else True,
                trace_request_ctx=connected,
                proxy=proxy,
            ) as response,
        ):
            content = await _read(response, longest or LONGEST, received)
        seconds = asyncio.get_running_loop().time() - began
        return Response(response.status, content, seconds, response.headers)

    def _session(self, pod: bool) -> aiohttp.ClientSession:
        if pod not in self._sessions:
            trace = aiohttp.TraceConfig()
            trace.on_connection_create_end.append(_note)
            trace.on_connection_reuseconn.append(_note)
            self._sessions[pod] = aiohttp.ClientSession(
                connector=connector(self._policies[pod]),
                trust_env=False,
                headers={"User-Agent": "canarium"},
                cookie_jar=aiohttp.DummyCookieJar(),
                trace_configs=[trace],
            )
        return self._sessions[pod]


def _host(url: str) -> str:
    """Returns the host of an HTTP URL. Raises NoAnswer for an invalid one, on which clients
    disagree."""
    try:
        parts = urlsplit(url)
        if parts.scheme in ("http", "https") and parts.hostname and parts.port != 0:
            return parts.hostname
    except ValueError:
        pass
    raise NoAnswer("the address is not a valid http:// or https:// URL")


@dataclass
class _Connected:
    """Whether a request got a connection."""

    yet: bool = False


async def _note(session: object, context: object, parameters: object) -> None:
    context.trace_request_ctx.yet = True  # type: ignore[attr-defined]


@asynccontextmanager
async def _explained(url: str, patience: float, connected: _Connected) -> AsyncIterator[None]:
    """Turns the client's exceptions into NoAnswer. Their own texts may quote the whole URL."""
    try:
        yield
    except aiohttp.ClientConnectorCertificateError as error:
        text = quoted(error.certificate_error, 200)
        raise Untrusted(f"its certificate is not trusted: {text}") from error
    except aiohttp.ClientConnectorDNSError as error:
        if isinstance(error.os_error, Refusal):
            raise _refused(error.os_error.host, error.os_error.kind) from error
        text = quoted(error.os_error.strerror or "no address", 100)
        raise Unreachable(
            f"the name of {shown(url)} does not resolve: {text}", ConnectionLoss.NAME
        ) from error
    except aiohttp.ClientConnectorSSLError as error:
        raise NoAnswer(f"no TLS connection: {quoted(error.strerror or 'failed', 200)}") from error
    except aiohttp.ClientConnectorError as error:
        if isinstance(error.os_error, Refusal):
            raise _refused(error.os_error.host, error.os_error.kind) from error
        raise _unconnected(error.os_error) from error
    except TimeoutError as error:
        if not connected.yet:
            limit = min(patience, _CONNECT)
            raise Unreachable(
                f"no connection within {limit:g}s", ConnectionLoss.TIMED_OUT
            ) from error
        raise NoAnswer(f"no answer within {patience:g}s") from error
    except (aiohttp.ServerDisconnectedError, ConnectionResetError, BrokenPipeError) as error:
        text = "the connection was closed before an answer began"
        raise Unreachable(text, ConnectionLoss.RESET) from error
    except aiohttp.ClientOSError as error:
        raise _unconnected(error) from error
    except aiohttp.ClientResponseError as error:
        raise NoAnswer(f"not an HTTP answer: {quoted(error.message, 200)}") from error
    except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError) as error:
        raise NoAnswer("the address is not a valid URL") from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise NoAnswer(f"the request failed: {type(error).__name__}") from error


def _unconnected(error: OSError) -> Unreachable:
    if isinstance(error, ConnectionRefusedError) or error.errno == errno.ECONNREFUSED:
        return Unreachable("the connection was refused", ConnectionLoss.REFUSED)
    if error.errno in _ROUTES:
        return Unreachable("there is no route to the address", ConnectionLoss.NO_ROUTE)
    if isinstance(error, TimeoutError) or error.errno == errno.ETIMEDOUT:
        return Unreachable("the connection timed out", ConnectionLoss.TIMED_OUT)
    return Unreachable("the connection was lost before an answer began", ConnectionLoss.RESET)


def _refused(host: str, kind: str) -> AddressRefused:
    return AddressRefused(
        f"{quoted(host, 260)} is not an address that the operator connects to ({kind}); an "
        "administrator can allow it with --allow-address"
    )


async def _read(
    response: aiohttp.ClientResponse, longest: int, received: Callable[[int], None] | None
) -> bytes:
    content = bytearray()
    try:
        async for chunk in response.content.iter_any():
            if received:
                received(len(chunk))
            content += chunk
            if len(content) > longest:
                size = f"{longest >> 20} MiB" if longest >> 20 else f"{longest >> 10} KiB"
                raise NoAnswer(f"the answer is longer than {size}")
        return bytes(content)
    except TimeoutError:
        raise
    except (aiohttp.ClientError, OSError) as error:
        raise NoAnswer("the answer broke off") from error
    finally:
        # An error keeps its traceback alive, and so this frame.
        content.clear()
