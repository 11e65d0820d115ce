"""The port between the engine and the HTTP client: the requests that the engine sends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Protocol

from canarium.kube.resources import Resource

Body = dict[str, Any]


class Api(Protocol):
    """Requests to one API server. Every method raises ApiError for a status above 399."""

    async def list(self, resource: Resource, namespace: str | None = None, **query: str) -> Body:
        """Returns one page of a collection; namespace None is all namespaces."""
        ...

    async def get(self, resource: Resource, namespace: str | None, name: str) -> Body: ...

    async def read(
        self,
        path: str,
        query: dict[str, str],
        *,
        namespace: str,
        longest: int,
        patience: float,
    ) -> bytes:
        """Returns what an aggregated API answers at `path`, of at most `longest` bytes, within
        `patience` seconds from when the request is sent: once it is the turn of `namespace`."""
        ...

    async def create(
        self, resource: Resource, namespace: str | None, body: Body, *, dry_run: bool = False
    ) -> Body:
        """Creates an object, or with `dry_run` only checks whether it would be accepted."""
        ...

    async def apply(
        self, resource: Resource, namespace: str | None, name: str, body: Body, *, force: bool
    ) -> Body:
        """Applies server-side. Without `force`, a field that another manager owns is a conflict."""
        ...

    async def merge(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        patch: Body,
        subresource: str | None = None,
    ) -> Body:
        """Sends a merge patch of an object or its subresource."""
        ...

    async def replace(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        body: Body,
        subresource: str | None = None,
    ) -> Body: ...

    async def delete(
        self, resource: Resource, namespace: str | None, name: str, uid: str | None = None
    ) -> Body | None:
        """Deletes in the background. Returns the object if it still exists, None otherwise."""
        ...

    def watch(self, resource: Resource, namespace: str | None, **query: str) -> AsyncIterator[Body]:
        """Yields events `{type, object}` until the server ends the watch. Raises ApiError for an
        ERROR event."""
        ...
