"""Sends CloudEvents 1.0 over HTTP, in structured mode (cloudevents.io)."""

from __future__ import annotations

import json
from typing import Any

from canarium.notifier.http_receiver import HttpReceiver
from canarium.notifier.notification import Notification
from canarium.notifier.sender import SecretFiles
from canarium.notifier.settings import CloudEvents

_CONTENT = "application/cloudevents+json; charset=utf-8"


def cloud_event(notification: Notification, cluster: str) -> dict[str, Any]:
    """Returns the CloudEvent: its type is `dev.canarium.modeldeployment.` and the transition's type
    in lower case, its source the path of the model in the API, its subject the revision."""
    transition = notification.transition
    path = (
        f"/apis/canarium.dev/v1alpha1/namespaces/{notification.namespace}"
        f"/modeldeployments/{notification.name}"
    )
    return {
        "specversion": "1.0",
        "id": notification.id,
        "source": f"//{cluster}{path}" if cluster else path,
        "type": f"dev.canarium.modeldeployment.{transition.type.lower()}",
        **({"subject": transition.revision} if transition.revision else {}),
        "time": transition.time,
        "datacontenttype": "application/json",
        "data": notification.variables(cluster),
    }


class CloudEventSender:
    """Sends to one receiver."""

    def __init__(self, sink: CloudEvents, secrets: SecretFiles, cluster: str) -> None:
        self._cluster = cluster
        self._receiver = HttpReceiver(
            secrets, _CONTENT, sink.url, sink.url_secret, sink.token_secret
        )

    async def send(self, notification: Notification) -> None:
        await self._receiver.post(json.dumps(cloud_event(notification, self._cluster)).encode())

    async def close(self) -> None:
        await self._receiver.close()
