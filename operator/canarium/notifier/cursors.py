"""What each sink has received, in one ConfigMap per sink: a restart, or another leader, repeats
nothing that was stored."""

from __future__ import annotations

import base64
import gzip
import json
import logging
import zlib
from typing import Any

from canarium.core.times import stamp
from canarium.kube.client import Api
from canarium.kube.clock import Timing
from canarium.kube.errors import ApiError
from canarium.kube.resources import CONFIG_MAPS
from canarium.notifier.outbox import Outbox

log = logging.getLogger(__name__)
_KEY = "delivered.json.gz"


class Cursors:
    """Reads and stores the cursors in `namespace`; `prefix` begins the ConfigMaps' names."""

    def __init__(self, api: Api, namespace: str, prefix: str, timing: Timing) -> None:
        self._api, self._namespace, self._prefix = api, namespace, prefix
        self._timing = timing

    async def load(self, sink: str) -> Outbox:
        """Returns the outbox of a sink as it was stored; a new one begins now, without what
        happened before. Raises ApiError.

        Cursors that cannot be read, as after an edit by hand, are those of a new sink.
        """
        try:
            stored = await self._api.get(CONFIG_MAPS, self._namespace, self._name(sink))
        except ApiError as error:
            if not error.not_found:
                raise
            stored = {}
        else:
            try:
                return _decoded(stored["binaryData"][_KEY])
            except (KeyError, TypeError, ValueError, OSError, EOFError, zlib.error) as error:
                log.error("sink %s: stored cursors cannot be read, starts again: %s", sink, error)
        outbox = Outbox(stamp(self._timing.now()), {})
        await self._write(sink, outbox, bool(stored))
        return outbox

    async def store(self, sink: str, outbox: Outbox) -> None:
        """Stores the cursors of a sink. Raises ApiError."""
        try:
            await self._write(sink, outbox, exists=True)
        except ApiError as error:
            if not error.not_found:
                raise
            await self._write(sink, outbox, exists=False)

    async def _write(self, sink: str, outbox: Outbox, exists: bool) -> None:
        name = self._name(sink)
        data = {"binaryData": {_KEY: _encoded(outbox)}}
        if exists:
            await self._api.merge(CONFIG_MAPS, self._namespace, name, data)
            return
        labels = {"app.kubernetes.io/managed-by": "canarium"}
        body: dict[str, Any] = {
            "apiVersion": CONFIG_MAPS.api_version,
            "kind": CONFIG_MAPS.kind,
            "metadata": {"name": name, "namespace": self._namespace, "labels": labels},
            **data,
        }
        await self._api.create(CONFIG_MAPS, self._namespace, body)

    def _name(self, sink: str) -> str:
        return f"{self._prefix}-{sink}"


def _encoded(outbox: Outbox) -> str:
    content = {"since": outbox.since, "delivered": outbox.delivered}
    packed = gzip.compress(json.dumps(content, separators=(",", ":")).encode(), mtime=0)
    return base64.b64encode(packed).decode()


def _decoded(text: str) -> Outbox:
    """Returns a stored outbox. Raises ValueError, KeyError, TypeError, OSError, EOFError or
    zlib.error."""
    content = json.loads(gzip.decompress(base64.b64decode(text)))
    since, delivered = content["since"], content["delivered"]
    if not isinstance(since, str) or not isinstance(delivered, dict):
        raise TypeError("fields have the wrong type")
    return Outbox(since, {str(uid): str(time) for uid, time in delivered.items()})
