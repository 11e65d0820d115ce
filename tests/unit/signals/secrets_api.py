"""An API server that has Secrets, ConfigMaps and nothing else."""

from __future__ import annotations

import base64
from typing import Any

from canarium.kube.errors import ApiError
from canarium.kube.resources import CONFIG_MAPS


class Secrets:
    """An API server with the Secrets and ConfigMaps of one namespace."""

    def __init__(self) -> None:
        self.stored: dict[str, dict[str, bytes]] = {}
        self.config_maps: dict[str, dict[str, str]] = {}

    async def get(self, resource: Any, namespace: str, name: str) -> dict[str, Any]:
        if resource == CONFIG_MAPS and name in self.config_maps:
            return {"data": self.config_maps[name]}
        if name not in self.stored:
            raise ApiError(404, "NotFound", f'secrets "{name}" not found')
        values = self.stored[name].items()
        return {"data": {key: base64.b64encode(value).decode() for key, value in values}}
