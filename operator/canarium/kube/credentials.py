"""Credentials of requests, renewed when the API server no longer accepts them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp

from canarium.kube.trust import Trust

log = logging.getLogger(__name__)
Load = Callable[[], Awaitable[Any]]


class ApiCredentials:
    """The bearer token of a `kubernetes.aio` configuration.

    The configuration itself reads a token file again. If a token is rejected anyway, for example
    because the token of an exec plugin has expired, `load` creates the configuration again.
    """

    def __init__(
        self, configuration: Any, load: Load | None = None, trust: Trust | None = None
    ) -> None:
        self.configuration = configuration
        self._load = load
        self._trust = trust
        self._loading = asyncio.Lock()

    async def header(self) -> str:
        """Returns the value of `Authorization`; empty if a client certificate authenticates."""
        token: str | None = await self.configuration.get_api_key_with_prefix("BearerToken")
        return token or ""

    async def renew(self, refused: str) -> bool:
        """Returns whether there are other credentials to try after `refused` got status 401."""
        async with self._loading:
            if await self.header() != refused:
                return True  # Another request reloaded already.
            if self._load is None:
                return False
            if not await self._reload():
                return False
            return await self.header() != refused

    async def _reload(self) -> bool:
        assert self._load is not None
        try:
            self.configuration = await self._load()
        except Exception:
            log.exception("cannot reload credentials")
            return False
        if self._trust:
            self._trust.update(self.configuration)
        return True

    async def middleware(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Authenticates each request, and repeats it with fresh credentials after status 401.

        It is aiohttp middleware.
        """
        sent = await self.header()
        response = await self._trusted(request, handler, sent)
        if response.status == 401 and await self.renew(sent):
            response.release()
            response = await self._signed(request, handler, await self.header())
        return response

    async def _trusted(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType, header: str
    ) -> aiohttp.ClientResponse:
        """Sends the request, and once more with the current configuration if the API server's
        certificate is not trusted: its authority may have been replaced."""
        trust = self._trust
        if trust is None:
            return await self._signed(request, handler, header)
        try:
            response = await self._signed(request, handler, header)
        except aiohttp.ClientSSLError:
            trust.refused()
            if self._load is None or not await self._renewed_trust():
                raise
            response = await self._signed(request, handler, header)
        trust.accepted()
        return response

    async def _renewed_trust(self) -> bool:
        """Returns whether the configuration was reloaded; at most one of many failing requests does
        that."""
        trust = self._trust
        assert trust is not None
        async with self._loading:
            if not trust.may_reload():
                return True
            return await self._reload()

    async def _signed(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType, header: str
    ) -> aiohttp.ClientResponse:
        if header:
            request.headers["Authorization"] = header
        # The expected name in the API server's certificate, if the kubeconfig sets it.
        name = getattr(self.configuration, "tls_server_name", None)
        if name:
            request.server_hostname = name
        return await handler(request)
