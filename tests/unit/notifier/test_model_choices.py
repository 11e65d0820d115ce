"""What a model may choose about its notifications, and what it cannot."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from canarium.api.notifications import Notifications
from canarium.notifier.apprise_sender import AppriseSender
from canarium.notifier.notification import ModelChoices, project
from canarium.notifier.settings import Settings, Sink
from canarium.render.notification_text import fault
from fetch.conftest import ROOT
from unit.notifier.test_senders import SECRET, Server, rolled_back, secrets, server

__all__ = ["server"]
rule = pytest.mark.rule
APPRISE: dict[str, Any] = {"apprise": {"urlSecret": SECRET}}


def sink(name: str = "team", **fields: Any) -> Sink:
    kind = {} if "traces" in fields else APPRISE
    return Sink.model_validate({"name": name, **kind, **fields})


def choices(**stated: Any) -> ModelChoices:
    """Those that are read from spec.notifications of a model."""
    metadata = {"namespace": "risk", "name": "fraud", "uid": "u1", "resourceVersion": "1"}
    return project({"metadata": metadata, "spec": {"notifications": stated}}).choices


def reaches(which: Sink, **stated: Any) -> bool:
    """Whether the rollback of a model in namespace risk, with labels team=fraud, is for a sink."""
    return replace(rolled_back(), choices=choices(**stated)).is_for(which)


@rule("R28")
def test_model_chooses_among_the_sinks_that_match_it() -> None:
    assert reaches(sink())
    assert reaches(sink(), sinks=["team", "other"])
    assert not reaches(sink(), sinks=["other"])
    assert not reaches(sink(), sinks=[])
    for match in ({"namespaces": ["other"]}, {"labels": {"team": "x"}}, {"types": ["Promoted"]}):
        assert not reaches(sink(match=match), sinks=["team"], types=["RolledBack"]), (
            "no choice of a model replaces what an administrator permits"
        )


@rule("R28")
def test_sink_that_has_to_be_named_is_not_the_default() -> None:
    assert not reaches(sink(match={"named": True}))
    assert reaches(sink(match={"named": True}), sinks=["team"])


@rule("R28")
def test_model_chooses_types_but_traces_keep_all() -> None:
    assert reaches(sink(), types=["RolledBack"])
    assert not reaches(sink(), types=["Promoted"])
    assert not reaches(sink(), types=[])
    assert reaches(sink(traces={"url": "http://collector/v1/traces"}), types=["Promoted"])


@pytest.mark.parametrize(
    "stated",
    [{"sinks": "team", "types": 5, "title": ["x"], "body": {}}, {"title": "", "sinks": None}],
)
def test_choices_that_cannot_be_read_are_ignored(stated: dict[str, Any]) -> None:
    assert choices(**stated) == ModelChoices()
    metadata = {"namespace": "risk", "name": "fraud", "uid": "u1", "resourceVersion": "1"}
    assert project({"metadata": metadata, "spec": {"notifications": [1]}}).choices == ModelChoices()


async def sent(
    server: Server, folder: Path, stated: dict[str, Any], **fields: Any
) -> dict[str, Any]:
    """What a service receives from a model with these choices."""
    which = sink(**fields)
    assert which.apprise
    files = secrets(folder, server.url.replace("http://", "json://"))
    sender = AppriseSender(which, which.apprise, files, "prod")
    await sender.send(replace(rolled_back(), choices=choices(**stated)))
    (_, message) = server.received[-1]
    found: dict[str, Any] = message
    return found


@rule("R28")
async def test_texts_of_a_model_replace_those_of_a_sink_that_permits_it(
    server: Server, tmp_path: Path
) -> None:
    stated = {
        "title": "[{{ cluster }}] {{ name }} {% if reason %}failed{% endif %}",
        "body": "{{ labels.team | upper }}{{ labels.none }}{{ weight }}: {{ message }}",
    }
    whole = await sent(server, tmp_path, stated, modelTexts=True, title="x", body="y")
    assert (whole["title"], whole["message"]) == ("[prod] model-u1 failed", "FRAUD: message 1")
    only = await sent(server, tmp_path, {"title": "t"}, modelTexts=True, body="{{ type }}")
    assert (only["title"], only["message"]) == ("t", "RolledBack")
    refused = await sent(server, tmp_path, stated, title="x", body="y")
    assert (refused["title"], refused["message"]) == ("x", "y")


@rule("R28")
@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("{{ nmae }}", "nmae is undefined; there is cluster, labels, message, name, namespace"),
        ("{% if %}", "Expected an expression"),
        ("{{ ''.__class__.__mro__ }}", "__class__ is undefined"),
        ("{{ message.__init__.__globals__ }}", "__init__ is undefined"),
        ("{% for x in (1, 2) %}{% endfor %}", "a loop is not allowed"),
        ("{% macro a() %}{% endmacro %}", "a macro is not allowed"),
        ("{{ 'x' * 1000000000 }}", "a multiplication is not allowed"),
        ("{{ message | replace('a', 'b' ) }}", "no filter replace"),
        ("{{ weight + 1 }}", "can only concatenate str"),
        ("{{ '\\ud800' }}", "half of a surrogate pair"),
        ("{{ '' }} ", "the text is empty"),
    ],
)
async def test_text_that_cannot_be_rendered_is_replaced_and_named(
    server: Server, tmp_path: Path, body: str, text: str
) -> None:
    message = (await sent(server, tmp_path, {"body": body}, modelTexts=True))["message"]
    assert message.startswith("message 1\n(not used: spec.notifications.body: ")
    assert text in message


@rule("R31")
@pytest.mark.parametrize(
    "worst",
    [
        "{{ message" + "+message" * 250 + " }}",
        "{{ " + "(" * 40 + "message" + " | tojson)" * 40 + " }}",
        "{% if message %}" * 100 + "x" + "{% endif %}" * 100,
        "{{ message" + " | urlencode" * 160 + " }}",
    ],
)
async def test_worst_text_is_bounded_in_time_and_length(
    server: Server, tmp_path: Path, worst: str
) -> None:
    body = worst[:2048]
    began = time.process_time()
    message = (await sent(server, tmp_path, {"body": body}, modelTexts=True))["message"]
    assert time.process_time() - began < 2
    assert len(message) <= 16_384 + 400


def test_choices_of_the_guide_are_valid() -> None:
    page = (ROOT / "docs" / "guides" / "notifications.md").read_text()
    (block,) = [b for b in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL) if "spec:" in b]
    stated = yaml.safe_load(block)["spec"]["notifications"]
    Notifications.model_validate(stated)
    for field in ("title", "body"):
        assert fault(field, stated[field]) is None


def test_model_texts_are_for_services_that_people_read() -> None:
    events = {"name": "a", "cloudEvents": {"url": "http://x"}, "modelTexts": True}
    with pytest.raises(ValueError, match="title, body and modelTexts are for apprise"):
        Settings.model_validate({"sinks": [events]})
