"""Requests to an MLflow tracking server on behalf of one namespace."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from canarium.sources.registry_server import RegistryServer, parsed_object, unparsed

API = "/api/2.0/mlflow/"
#: MLflow's codes for an object that does not exist; an unknown alias is an invalid parameter.
_MISSING = frozenset({"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"})


class TrackingServer(RegistryServer):
    """A tracking server, asked within the share of a namespace."""

    async def get(self, path: str, what: str, /, **query: str) -> dict[str, Any]:
        """Returns the JSON object at `path` of the API, of at most `LONGEST` bytes; `what` names
        it in errors. Raises Unresolved."""
        body = parsed_object(await self.read(API + path, what, query=query))
        if body is None:
            raise unparsed(what)
        return body

    async def post(self, path: str, what: str, /, **fields: str) -> None:
        """Sends `fields` to `path` of the API. Raises Unresolved."""
        await self.read(API + path, what, method="POST", body=json.dumps(fields).encode())

    async def read(
        self,
        path: str,
        what: str,
        *,
        query: Mapping[str, str] | None = None,
        method: str = "GET",
        body: bytes | None = None,
    ) -> bytes:
        """Returns the bytes at `path` of the server. Raises Unresolved."""
        kind = {"Content-Type": "application/json"} if body is not None else {}
        answer = await self.ask(method, path, what, query=query, headers=kind, body=body)
        if answer.status != 200:
            code = (parsed_object(answer.body) or {}).get("error_code")
            raise self.refusal(answer, what, missing=code in _MISSING)
        return answer.body
