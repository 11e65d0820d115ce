"""Sends texts to services that people read (Slack, Teams, e-mail, PagerDuty, …) by Apprise."""

from __future__ import annotations

import asyncio
import logging
from functools import cache
from typing import Any

import apprise
from jinja2 import StrictUndefined, Template, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from canarium.api.status.transition import Transition, TransitionType
from canarium.core.times import stamp
from canarium.notifier.notification import Notification
from canarium.notifier.sender import SecretFiles, SendFailed
from canarium.notifier.settings import BODY, TITLE, AppriseService, SettingsInvalid, Sink
from canarium.render.errors import RuntimeInvalid
from canarium.render.notification_text import model_text
from canarium.untrusted.quoting import quoted

#: Seconds for a whole delivery; Apprise limits each request.
_TIMEOUT = 60.0
_LONGEST = 16_384
_LEVELS: dict[str, apprise.NotifyType] = {
    TransitionType.PROMOTED: apprise.NotifyType.SUCCESS,
    TransitionType.COMPLETED: apprise.NotifyType.SUCCESS,
    TransitionType.AVAILABLE: apprise.NotifyType.SUCCESS,
    TransitionType.STABLE_RECOVERED: apprise.NotifyType.SUCCESS,
    TransitionType.ROLLED_BACK: apprise.NotifyType.FAILURE,
    TransitionType.UNAVAILABLE: apprise.NotifyType.FAILURE,
    TransitionType.UNDONE: apprise.NotifyType.WARNING,
    TransitionType.BLOCKED: apprise.NotifyType.WARNING,
    TransitionType.STANDBY_SERVING: apprise.NotifyType.WARNING,
    TransitionType.WAITING_FOR_APPROVAL: apprise.NotifyType.WARNING,
    TransitionType.WAITING_FOR_PROMOTION: apprise.NotifyType.WARNING,
}
#: Templates are tried with it when the process starts.
_SAMPLE = Transition(
    time=stamp(0),
    type=TransitionType.ROLLED_BACK,
    revision="abcd2345",
    version="v1",
    weight=50,
    reason="ServerExited",
    message="The server exited.",
)
# Apprise logs URLs, which hold credentials.
logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)


@cache
def _load_plugins() -> None:
    """Loads the services of Apprise, which takes seconds, before the process delivers."""
    apprise.Apprise().add("json://localhost")


class Texts:
    """The templates of a sink. Raises SettingsInvalid for one that cannot be rendered."""

    def __init__(self, sink: Sink, cluster: str) -> None:
        self._cluster, self._model_texts = cluster, sink.model_texts
        environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined)
        sample = Notification("namespace", "name", "uid", {}, _SAMPLE)
        self._templates: dict[str, Template] = {}
        for field, text in (("title", sink.title or TITLE), ("body", sink.body or BODY)):
            try:
                self._templates[field] = environment.from_string(text)
                self.render(field, sample)
            except (TemplateError, TypeError, ValueError, ArithmeticError) as error:
                raise SettingsInvalid(f"sink {sink.name}: {field}: {error}") from error

    def texts(self, notification: Notification) -> tuple[str, str]:
        """Returns title and body: of the model where it has any and the sink permits it.

        A template of a model that cannot be rendered is replaced by the sink's, and named below
        the body. Raises TemplateError.
        """
        texts, faults = [], []
        for field in ("title", "body"):
            text = None
            source = getattr(notification.choices, field) if self._model_texts else None
            if source is not None:
                try:
                    text = model_text(field, source, notification.variables(self._cluster))
                except RuntimeInvalid as error:
                    faults.append(f"(not used: {quoted(str(error), 300)})")
                if field == "body" and text is not None and not text.strip():
                    # Services refuse a message without a body.
                    faults.append("(not used: spec.notifications.body: the text is empty)")
                    text = None
            texts.append((self.render(field, notification) if text is None else text)[:_LONGEST])
        title, body = texts
        return title, "\n".join((body, *faults))

    def render(self, field: str, notification: Notification) -> str:
        """Returns the text of `title` or `body`. Raises TemplateError."""
        variables = notification.variables(self._cluster)
        return self._templates[field].render(variables)[:_LONGEST]


class AppriseSender:
    """Sends to one service. Raises SettingsInvalid for a template that cannot be rendered."""

    def __init__(
        self, sink: Sink, service: AppriseService, secrets: SecretFiles, cluster: str
    ) -> None:
        _load_plugins()
        self._url, self._secrets = service.url_secret, secrets
        self._texts = Texts(sink, cluster)

    async def send(self, notification: Notification) -> None:
        service = apprise.Apprise()
        if not service.add(self._secrets.read(self._url)):
            where = f"key {self._url.key} of Secret {self._url.name}"
            raise SendFailed(f"{where} is not a URL of Apprise")
        try:
            title, body = self._texts.texts(notification)
        except Exception as error:
            raise SendFailed(f"cannot render the template: {error}", refused=True) from error
        # A newer operator may report a type that is not known here.
        level = _LEVELS.get(notification.transition.type, apprise.NotifyType.INFO)
        options: dict[str, Any] = {"title": title, "body": body, "notify_type": level}
        try:
            async with asyncio.timeout(_TIMEOUT):
                sent = await service.async_notify(**options)
        except Exception as error:
            raise SendFailed(f"Apprise failed: {type(error).__name__}") from None
        if not sent:
            raise SendFailed("the service did not accept the notification")

    async def close(self) -> None:
        """Closes nothing: Apprise keeps no connection."""
