"""The file that lists the sinks: `canarium notify --config FILE`."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv6Address
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

import yaml
from pydantic import AfterValidator, Field, TypeAdapter, ValidationError, model_validator

from canarium.api.base import Duration, Part
from canarium.api.status.transition import TransitionType

_Name = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=50)]
#: As in the schema of the chart: scheme, perhaps a user, host, perhaps a port and a path. A host
#: consists of labels with dots between them; a port is a number from 1 to 65535.
_HOST = r"\[[0-9A-Fa-f:.]+\]|[^\s/?#@:\[\].]+(\.[^\s/?#@:\[\].]+)*\.?"
_PORT = r"[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]"
_URL = rf"^https?://([^\s/?#@]+@)?({_HOST})(:({_PORT}))?([/?#]\S*)?$"


def _with_valid_address(url: str) -> str:
    try:
        host = urlsplit(url).netloc.rpartition("@")[2]
        if host.startswith("["):
            IPv6Address(host[1 : host.index("]")])
    except ValueError:
        raise ValueError("the host in brackets is not an IPv6 address") from None
    return url


_Url = Annotated[str, Field(pattern=_URL, max_length=2048), AfterValidator(_with_valid_address)]
_URLS: TypeAdapter[str] = TypeAdapter(_Url)
TITLE = "{{ namespace }}/{{ name }}: {{ type }}{% if version %} {{ version }}{% endif %}"
BODY = "{{ message }}"


class SettingsInvalid(Exception):
    """The file cannot be used; the message names the field."""


def is_url(text: str) -> bool:
    """Returns whether a receiver can have this URL."""
    try:
        _URLS.validate_python(text)
    except ValidationError:
        return False
    return True


def has_credentials(url: str) -> bool:
    """Returns whether a URL names a user, which is sent in the header of a token."""
    return "@" in urlsplit(url).netloc


class SecretKey(Part):
    """A key of a Secret in the notifier's namespace."""

    name: str = Field(min_length=1, max_length=253)
    key: str = Field(min_length=1, max_length=253)


class Receiver(Part):
    """A receiver over HTTP."""

    url: _Url | None = None
    url_secret: SecretKey | None = None
    #: Bearer token.
    token_secret: SecretKey | None = None

    @model_validator(mode="after")
    def _one_url(self) -> Self:
        if (self.url is None) == (self.url_secret is None):
            raise ValueError("set either url or urlSecret")
        if self.url and self.token_secret and has_credentials(self.url):
            raise ValueError("url has a user, and tokenSecret is set; remove one of them")
        return self


class CloudEvents(Receiver):
    """A receiver of CloudEvents 1.0 over HTTP, in structured mode."""


class Traces(Receiver):
    """A receiver of traces by OTLP over HTTP."""

    @model_validator(mode="after")
    def _path(self) -> Self:
        if self.url and not urlsplit(self.url).path.strip("/"):
            raise ValueError("url needs the path of the receiver, such as /v1/traces")
        return self


class AppriseService(Part):
    """A service that people read, by its Apprise URL: it holds credentials, so it is a Secret."""

    url_secret: SecretKey


class Match(Part):
    """Which notifications a sink receives; an empty field matches all.

    `named`: only those of models that name the sink in spec.notifications.sinks.
    """

    namespaces: tuple[str, ...] = ()
    labels: Mapping[str, str] = Field(default_factory=dict)
    types: tuple[TransitionType, ...] = ()
    named: bool = False


class Sink(Part):
    """Where notifications go."""

    name: _Name
    cloud_events: CloudEvents | None = None
    apprise: AppriseService | None = None
    traces: Traces | None = None
    match: Match = Match()
    #: Jinja2 templates; only with `apprise`.
    title: str | None = Field(None, max_length=4096)
    body: str | None = Field(None, max_length=16384)
    #: Whether the templates of a model replace these.
    model_texts: bool = False
    #: How long a notification is retried.
    retry_for: Duration = "24h"

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if sum(kind is not None for kind in (self.cloud_events, self.apprise, self.traces)) != 1:
            raise ValueError("set one of cloudEvents, apprise and traces")
        if not self.apprise and (self.title or self.body or self.model_texts):
            raise ValueError("title, body and modelTexts are for apprise; other sinks have no text")
        if self.traces and self.match.types:
            raise ValueError("match.types is not for traces, which consist of all types")
        return self


class Settings(Part):
    """All sinks. `cluster` is part of the source of every CloudEvent, and a template variable."""

    cluster: str = Field("", pattern=r"^[A-Za-z0-9._-]*$", max_length=100)
    sinks: tuple[Sink, ...] = Field(min_length=1, max_length=50)

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        names = [sink.name for sink in self.sinks]
        double = next((name for name in names if names.count(name) > 1), None)
        if double:
            raise ValueError(f"two sinks have the name {double!r}; names must differ")
        return self


def load(path: Path) -> Settings:
    """Returns the settings in a YAML file. Raises SettingsInvalid."""
    try:
        raw: Any = yaml.safe_load(path.read_text())
    except OSError as error:
        raise SettingsInvalid(f"cannot read {path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsInvalid(f"{path} is not YAML: {error}") from error
    try:
        return Settings.model_validate(raw)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ""
        for step in first["loc"]:
            where += f"[{step}]" if isinstance(step, int) else f".{step}"
        text = "unknown field" if first["type"] == "extra_forbidden" else first["msg"]
        text = text.removeprefix("Value error, ")
        raise SettingsInvalid(f"{path}: {where.removeprefix('.') or 'the file'}: {text}") from error
