"""All that kopf calls: start, stop, and every event of a ModelDeployment.

Only `on.event` is used: kopf then writes nothing to our objects and needs no finalizer. Retry,
order and deduplication are the work queue's.
"""

from __future__ import annotations

import asyncio
from typing import Any

import kopf

from canarium import GROUP, PLURAL
from canarium.app import Application


def register(registry: kopf.OperatorRegistry, application: Application) -> None:
    """Hooks `application` into `registry`."""

    @kopf.on.startup(registry=registry)
    async def start(settings: kopf.OperatorSettings, **_: Any) -> None:
        settings.posting.enabled = False
        settings.watching.server_timeout = 290
        settings.watching.connect_timeout = 10
        settings.scanning.disabled = True
        await application.start()

    @kopf.on.login(registry=registry)
    async def login(**kwargs: Any) -> kopf.ConnectionInfo | None:
        return kopf.login_with_service_account(**kwargs) or kopf.login_with_kubeconfig(**kwargs)

    @kopf.on.cleanup(registry=registry)
    async def stop(**_: Any) -> None:
        await application.stop()

    @kopf.on.event(GROUP, "v1alpha1", PLURAL, registry=registry)
    async def seen(event: Any, namespace: str | None, name: str, uid: str, **_: Any) -> None:
        parents, body = application.engine.store.parents, event["object"]
        if event["type"] == "DELETED":
            parents.forget(namespace or "", name, uid, int(body["metadata"]["resourceVersion"]))
        else:
            parents.observe(dict(body))

    @kopf.on.probe(registry=registry, id="watches")
    async def watches(**_: Any) -> float:
        await asyncio.sleep(0)
        return application.oldest_watch()
