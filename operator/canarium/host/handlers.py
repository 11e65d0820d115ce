"""The handlers that kopf calls: startup, cleanup, and every event of a ModelDeployment.

Only `on.event` is used, so kopf writes nothing to our objects and needs no finalizer. Retries,
order and deduplication belong to the work queue.
"""

from __future__ import annotations

from typing import Any

import kopf

from canarium import GROUP, PLURAL
from canarium.host.app import Application
from canarium.host.kopf_retries import EndlessBackoff
from canarium.host.kopf_storage import NoDiffBase
from canarium.host.kopf_watch import SERVER_TIMEOUT


def register(registry: kopf.OperatorRegistry, application: Application) -> None:
    """Hooks `application` into `registry`."""

    @kopf.on.startup(registry=registry)
    async def start(settings: kopf.OperatorSettings, **_: Any) -> None:
        settings.posting.enabled = False
        settings.persistence.diffbase_storage = NoDiffBase()
        settings.watching.server_timeout = SERVER_TIMEOUT
        settings.watching.connect_timeout = 10
        settings.watching.reconnect_backoff = 0.5
        settings.networking.connect_timeout = 10
        settings.networking.request_timeout = 60
        # By default kopf gives up after a minute of 5xx answers, and ends the process.
        settings.networking.error_backoffs = EndlessBackoff()
        settings.watching.chunk_size = 100
        # A worker of kopf keeps the last event of its object until it ends. With the default of
        # five seconds, all objects of a list would be in memory. (With 0, no worker starts.)
        settings.queueing.idle_timeout = 0.1
        # The namespaces come from our configuration, and the CRD is installed before the operator.
        settings.scanning.disabled = True
        await application.start()

    @kopf.on.login(registry=registry)
    async def login(**_: Any) -> kopf.AiohttpSession:
        server, session = application.session()
        return kopf.AiohttpSession(server=server, aiohttp_session=session)

    @kopf.on.cleanup(registry=registry)
    async def stop(**_: Any) -> None:
        await application.stop()

    @kopf.on.event(GROUP, "v1alpha1", PLURAL, registry=registry)
    async def observe(event: Any, namespace: str | None, name: str, uid: str, **_: Any) -> None:
        parents, body = application.engine.store.parents, event["object"]
        if event["type"] == "DELETED":
            parents.forget(namespace or "", name, uid, int(body["metadata"]["resourceVersion"]))
        elif application.engine.watches(namespace or ""):
            parents.observe(dict(body))
