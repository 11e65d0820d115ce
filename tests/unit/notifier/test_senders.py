"""CloudEvents and Apprise against a real HTTP server on loopback (R28)."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from canarium.notifier.apprise_sender import AppriseSender
from canarium.notifier.cloud_events import CloudEventSender
from canarium.notifier.notification import Notification
from canarium.notifier.process import sender_of
from canarium.notifier.sender import SecretFiles, SendFailed
from canarium.notifier.settings import CloudEvents, SettingsInvalid, Sink
from http_server import HttpServer
from unit.notifier.notifications import model, transition

rule = pytest.mark.rule
SECRET = {"name": "sink", "key": "value"}


@dataclass
class Server:
    """Answers with `status`, and keeps what it received."""

    url: str = ""
    status: int = 202
    headers: dict[str, str] = field(default_factory=dict)
    received: list[tuple[dict[str, str], Any]] = field(default_factory=list)

    async def handle(self, request: web.BaseRequest) -> web.Response:
        body = json.loads(await request.text())
        self.received.append((dict(request.headers), body))
        return web.Response(status=self.status, headers=self.headers, text="the answer\n")


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    async with HttpServer(server.handle) as listening:
        server.url = f"{listening.url}/events"
        yield server


def rolled_back() -> Notification:
    change = transition(
        1, "RolledBack", revision="abcd2345", version="v2", reason="SmokeTestFailed"
    )
    source = model(team="fraud")
    return Notification(source.namespace, source.name, source.uid, source.labels, change)


def secrets(folder: Path, value: str) -> SecretFiles:
    (folder / "sink").mkdir(exist_ok=True)
    (folder / "sink" / "value").write_text(value + "\n")
    return SecretFiles(folder)


@rule("R28")
async def test_cloud_event_names_model_revision_and_reason(server: Server, tmp_path: Path) -> None:
    sink = CloudEvents.model_validate({"url": server.url, "tokenSecret": SECRET})
    sender = CloudEventSender(sink, secrets(tmp_path, "t0ken"), "prod")
    await sender.send(rolled_back())
    await sender.close()
    ((headers, event),) = server.received
    assert headers["Content-Type"] == "application/cloudevents+json; charset=utf-8"
    assert headers["Authorization"] == "Bearer t0ken"
    assert event == {
        "specversion": "1.0",
        "id": "u1/2027-01-15T08:00:01.000Z",
        "source": "//prod/apis/canarium.dev/v1alpha1/namespaces/risk/modeldeployments/model-u1",
        "type": "dev.canarium.modeldeployment.rolledback",
        "subject": "abcd2345",
        "time": "2027-01-15T08:00:01.000Z",
        "datacontenttype": "application/json",
        "data": {
            "cluster": "prod",
            "namespace": "risk",
            "name": "model-u1",
            "labels": {"team": "fraud"},
            "time": "2027-01-15T08:00:01.000Z",
            "type": "RolledBack",
            "revision": "abcd2345",
            "version": "v2",
            "weight": None,
            "reason": "SmokeTestFailed",
            "message": "message 1",
        },
    }


@pytest.mark.parametrize(
    ("status", "refused"),
    [(400, True), (413, True), (422, True), (302, True), (401, False), (429, False), (503, False)],
)
async def test_answer_decides_who_waits(
    server: Server, tmp_path: Path, status: int, refused: bool
) -> None:
    server.status, server.headers = status, {"Retry-After": "7", "Location": "http://else/"}
    sink = CloudEvents.model_validate({"url": server.url})
    sender = CloudEventSender(sink, SecretFiles(tmp_path), "")
    with pytest.raises(SendFailed) as failed:
        await sender.send(rolled_back())
    await sender.close()
    assert str(failed.value) == f"the receiver answered {status}: the answer\\n"
    assert (failed.value.refused, failed.value.retry_after) == (refused, 7.0)


async def test_no_error_contains_the_url(unused_tcp_port: int, tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{unused_tcp_port}/hook/s3cret"
    sink = CloudEvents.model_validate({"urlSecret": SECRET})
    sender = CloudEventSender(sink, secrets(tmp_path, url), "")
    with pytest.raises(SendFailed, match="cannot reach the receiver") as failed:
        await sender.send(rolled_back())
    await sender.close()
    assert "s3cret" not in str(failed.value)
    assert not failed.value.refused


@pytest.mark.parametrize(
    "text", ["no url", "ftp://s3cret/", "http://s3cret:0/", "http://s3cret..b"]
)
async def test_text_that_is_not_a_url_names_the_secret(tmp_path: Path, text: str) -> None:
    sink = CloudEvents.model_validate({"urlSecret": SECRET})
    sender = CloudEventSender(sink, secrets(tmp_path, text), "")
    with pytest.raises(
        SendFailed, match=r"^key value of Secret sink is not a valid http or https URL$"
    ) as failed:
        await sender.send(rolled_back())
    await sender.close()
    assert "s3cret" not in str(failed.value)
    assert not failed.value.refused


async def test_url_that_only_the_client_refuses_is_named(tmp_path: Path) -> None:
    url = f"http://{'ü' * 60}.example/"
    senders = (
        CloudEventSender(CloudEvents(url=url), SecretFiles(tmp_path), ""),
        CloudEventSender(
            CloudEvents.model_validate({"urlSecret": SECRET}), secrets(tmp_path, url), ""
        ),
    )
    for sender, where in zip(senders, ("url", "key value of Secret sink"), strict=True):
        with pytest.raises(SendFailed, match=f"^{where} is not a valid http or https URL$"):
            await sender.send(rolled_back())
        await sender.close()


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (
            "https://user:s3cret@h/",
            "the URL in key value of Secret sink has a user, and tokenSecret",
        ),
        ("https://h/", "key token of Secret sink has line breaks"),
    ],
)
async def test_secrets_that_cannot_be_sent_are_named(tmp_path: Path, text: str, error: str) -> None:
    token = {"name": "sink", "key": "token"}
    sink = CloudEvents.model_validate({"urlSecret": SECRET, "tokenSecret": token})
    files = secrets(tmp_path, text)
    (tmp_path / "sink" / "token").write_text("s3cret\nheader: x")
    sender = CloudEventSender(sink, files, "")
    with pytest.raises(SendFailed, match=f"^{error}") as failed:
        await sender.send(rolled_back())
    await sender.close()
    assert "s3cret" not in str(failed.value)


async def test_missing_secret_is_named(tmp_path: Path) -> None:
    sink = CloudEvents.model_validate({"urlSecret": SECRET})
    with pytest.raises(SendFailed, match="cannot read key value of Secret sink: No such file"):
        await CloudEventSender(sink, SecretFiles(tmp_path), "").send(rolled_back())


def chat(folder: Path, url: str, **texts: str) -> AppriseSender:
    sink = Sink.model_validate({"name": "team", "apprise": {"urlSecret": SECRET}, **texts})
    assert sink.apprise
    return AppriseSender(sink, sink.apprise, secrets(folder, url), "prod")


@rule("R28")
async def test_text_of_a_rollback_reaches_a_service(server: Server, tmp_path: Path) -> None:
    url = server.url.replace("http://", "json://")
    await chat(tmp_path, url).send(rolled_back())
    (_, sent) = server.received[0]
    assert sent["title"] == "risk/model-u1: RolledBack v2"
    assert sent["message"] == "message 1"
    assert sent["type"] == "failure"


async def test_templates_of_a_sink_replace_the_texts(server: Server, tmp_path: Path) -> None:
    url = server.url.replace("http://", "json://")
    texts = {"title": "{{ cluster }} {{ type | upper }}", "body": "{{ labels.team }}: {{ reason }}"}
    await chat(tmp_path, url, **texts).send(rolled_back())
    (_, sent) = server.received[0]
    assert (sent["title"], sent["message"]) == ("prod ROLLEDBACK", "fraud: SmokeTestFailed")


async def test_service_that_does_not_accept_is_tried_again(server: Server, tmp_path: Path) -> None:
    server.status = 500
    with pytest.raises(SendFailed, match="did not accept"):
        await chat(tmp_path, server.url.replace("http://", "json://")).send(rolled_back())


async def test_url_that_apprise_does_not_know_names_the_secret(tmp_path: Path) -> None:
    with pytest.raises(SendFailed, match="key value of Secret sink is not a URL of Apprise"):
        await chat(tmp_path, "nothing://x").send(rolled_back())


@pytest.mark.parametrize(
    ("field", "text", "error"),
    [
        ("title", "{{ nmae }}", "sink team: title: 'nmae' is undefined"),
        ("body", "{% if %}", "sink team: body: Expected an expression"),
        ("body", "{{ ''.__class__.__mro__ }}", "sink team: body: access to attribute"),
    ],
)
def test_template_that_cannot_be_used_is_named(
    tmp_path: Path, field: str, text: str, error: str
) -> None:
    sink = Sink.model_validate({"name": "team", "apprise": {"urlSecret": SECRET}, field: text})
    with pytest.raises(SettingsInvalid, match=error):
        sender_of(sink, SecretFiles(tmp_path), "")


async def test_template_that_fails_on_one_model_delays_no_other(
    server: Server, tmp_path: Path
) -> None:
    url = server.url.replace("http://", "json://")
    sender = chat(tmp_path, url, body="{{ weight + 1 }}")
    without = rolled_back()
    weighted = without.transition.model_copy(update={"weight": 50})
    with pytest.raises(SendFailed, match="cannot render the template") as failed:
        await sender.send(without)
    assert failed.value.refused
    await sender.send(replace(without, transition=weighted))
    assert server.received[0][1]["message"] == "51"


async def test_type_of_a_newer_operator_is_delivered(server: Server, tmp_path: Path) -> None:
    notification = rolled_back()
    newer = notification.transition.model_copy(update={"type": "Teleported"})
    url = server.url.replace("http://", "json://")
    await chat(tmp_path, url).send(replace(notification, transition=newer))
    assert server.received[0][1]["title"] == "risk/model-u1: Teleported v2"
    assert server.received[0][1]["type"] == "info"


LOGS = """
import asyncio, sys
from pathlib import Path
from canarium.telemetry import logs
logs.configure("DEBUG")
from unit.notifier.test_senders import SECRET, SecretFiles, rolled_back
from canarium.notifier.apprise_sender import AppriseSender
from canarium.notifier.settings import Sink
sink = Sink.model_validate({"name": "s", "apprise": {"urlSecret": SECRET}})
sender = AppriseSender(sink, sink.apprise, SecretFiles(Path(sys.argv[1])), "")
asyncio.run(sender.send(rolled_back()))
"""


@rule("R31")
@pytest.mark.slow  # starts a program that imports all services
async def test_no_level_of_the_log_shows_the_credentials_of_a_service(
    server: Server, tmp_path: Path
) -> None:
    secrets(tmp_path, server.url.replace("http://", "json://") + "/T000/SUPERSECRET")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", f"import sys; sys.path[:0] = {sys.path!r}\n{LOGS}", str(tmp_path)),
        stderr=asyncio.subprocess.PIPE,
    )
    _, log = await process.communicate()
    assert process.returncode == 0, log.decode()
    assert len(server.received) == 1
    assert b"SUPERSECRET" not in log
