"""Where the API server is and how to prove who we are; read by `kubernetes.aio.config`.

Only its loaders are used: its client parses into typed models at ten times the cost.
"""

from __future__ import annotations

import os
import ssl
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

REFRESH = 60.0
"""Seconds between two looks at the credentials' source. The kubelet replaces a projected token
when 80 % of its life (an hour by default) has passed, so a minute is soon enough."""


class Credentials:
    """The Authorization header, refreshed from its source.

    `load` reads the source again and returns the header's value, or `None` for none (client
    certificates, or a server without authentication). It is called at most each `interval` seconds,
    and at once when the server answered 401.
    """

    def __init__(
        self,
        load: Callable[[], Awaitable[str | None]],
        interval: float = REFRESH,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._load = load
        self._interval = interval
        self._clock = clock
        self._value: str | None = None
        self._due: float | None = None

    async def header(self, *, refresh: bool = False) -> str | None:
        """The current value. Errors of the first load pass through; later ones leave the old value,
        which may well still be good (a token file is briefly absent while it is replaced)."""
        now = self._clock()
        if refresh or self._due is None or now >= self._due:
            first = self._due is None
            self._due = now + self._interval  # set first: concurrent requests must not load too
            try:
                value = await self._load()
            except Exception:
                if first:
                    self._due = None
                    raise
            else:
                # Token files end in a newline at times, which is not allowed in a header.
                self._value = value.strip() if value else None
        return self._value


async def _anonymous() -> str | None:
    return None


@dataclass(slots=True)
class Endpoint:
    """An API server: base URL, TLS (`None` for plain HTTP), credentials, SNI and proxy."""

    url: str
    tls: ssl.SSLContext | None = None
    credentials: Credentials = field(default_factory=lambda: Credentials(_anonymous))
    server_name: str | None = None
    proxy: str | None = None


async def load_endpoint(kubeconfig: str | None = None, context: str | None = None) -> Endpoint:
    """Find the API server, in kubectl's order: the given kubeconfig, `$KUBECONFIG`, the cluster
    this process runs in, `~/.kube/config`. A `context` asks for a kubeconfig.

    `kubernetes.aio.config.ConfigException` or FileNotFoundError when there is none.
    """
    # Imported here since it costs a second and 60 MB, which neither tests nor `--help` should pay.
    from kubernetes.aio.client import Configuration
    from kubernetes.aio.config import incluster_config

    config = Configuration()
    kubeconfig = kubeconfig or os.environ.get("KUBECONFIG") or None
    if kubeconfig or context or not os.environ.get("KUBERNETES_SERVICE_HOST"):
        loader = await _kubeconfig_loader(kubeconfig or "~/.kube/config", context, config)

        async def load() -> str | None:
            # Reads token files again, and runs an exec plugin whose token has expired.
            await loader.load_and_set(config)
            return _bearer(config)
    else:
        # The attributes are read at call time, so that tests can point them elsewhere.
        incluster = incluster_config.InClusterConfigLoader(
            token_filename=incluster_config.SERVICE_TOKEN_FILENAME,
            cert_filename=incluster_config.SERVICE_CERT_FILENAME,
            try_refresh_token=False,  # we refresh ourselves, and at once after a 401
        )
        incluster.load_and_set(config)

        async def load() -> str | None:
            incluster.load_and_set(config)
            return _bearer(config)

    return Endpoint(
        url=config.host.rstrip("/"),
        tls=_tls(config) if config.host.startswith("https:") else None,
        credentials=Credentials(load),
        server_name=config.tls_server_name,
        proxy=config.proxy,
    )


async def _kubeconfig_loader(path: str, context: str | None, config: Any) -> Any:
    from kubernetes.aio.config import load_kube_config

    separator = ";" if os.name == "nt" else ":"
    files = [os.path.expanduser(part) for part in path.split(separator) if part]
    if not any(os.path.exists(file) for file in files):
        raise FileNotFoundError(f"no kubeconfig: {path}")
    # Not persisted: an operator has no business rewriting its user's kubeconfig.
    return await load_kube_config(
        separator.join(files), context, client_configuration=config, persist_config=False
    )


def _bearer(config: Any) -> str | None:
    value = config.api_key.get("BearerToken")
    return str(value) if value else None


def _tls(config: Any) -> ssl.SSLContext:
    tls = ssl.create_default_context(cafile=config.ssl_ca_cert, cadata=config.ca_cert_data)
    if config.cert_file:
        tls.load_cert_chain(config.cert_file, config.key_file)
    if not config.verify_ssl:
        tls.check_hostname = False
        tls.verify_mode = ssl.CERT_NONE
    return tls
