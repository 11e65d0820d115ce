"""Sends CloudEvents 1.0 over HTTP, in structured mode (cloudevents.io)."""

from __future__ import annotations

import json
from typing import Any

import aiohttp

from canarium import VERSION
from canarium.notifier.notification import Notification
from canarium.notifier.sender import SecretFiles, SendFailed
from canarium.notifier.settings import CloudEvents
from canarium.untrusted.quoting import quoted

_TIMEOUT = aiohttp.ClientTimeout(total=15, connect=5)
_CONTENT = "application/cloudevents+json; charset=utf-8"
#: Answers of a receiver that may accept the same request later.
_LATER = frozenset({401, 403, 404, 407, 408, 421, 425, 429})
#: Maximum bytes of an answer that are read, for its error text.
_ANSWER = 2048


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
    """Sends to one receiver. Redirects are not followed: they would carry the token elsewhere."""

    def __init__(self, sink: CloudEvents, secrets: SecretFiles, cluster: str) -> None:
        self._sink, self._secrets, self._cluster = sink, secrets, cluster
        self._session: aiohttp.ClientSession | None = None

    async def send(self, notification: Notification) -> None:
        sink = self._sink
        url = sink.url or (self._secrets.read(sink.url_secret) if sink.url_secret else "")
        headers = {"Content-Type": _CONTENT, "User-Agent": f"canarium/{VERSION}"}
        if sink.token_secret:
            headers["Authorization"] = f"Bearer {self._secrets.read(sink.token_secret)}"
        body = json.dumps(cloud_event(notification, self._cluster)).encode()
        session = self._session = self._session or aiohttp.ClientSession(timeout=_TIMEOUT)
        try:
            async with session.post(
                url, data=body, headers=headers, allow_redirects=False
            ) as response:
                if response.status < 300:
                    return
                answer = await response.content.read(_ANSWER)
                later = response.status in _LATER or response.status >= 500
                raise SendFailed(
                    f"the receiver answered {response.status}: {quoted(answer, 200)}",
                    refused=not later,
                    retry_after=_seconds(response.headers.get("Retry-After")),
                )
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            # The text of an aiohttp error may contain the URL, which may be secret.
            kind = type(error).__name__
            raise SendFailed(f"cannot reach the receiver: {kind}") from None

    async def close(self) -> None:
        if self._session:
            await self._session.close()


def _seconds(text: str | None) -> float | None:
    """Returns Retry-After in seconds, at most an hour; dates are ignored."""
    return min(float(text), 3600.0) if text and text.isdigit() else None
