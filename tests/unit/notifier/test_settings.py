"""The file of sinks: every mistake names the field and what is right."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from canarium.api.status.transition import TransitionType
from canarium.notifier.process import check
from canarium.notifier.settings import Receiver, SettingsInvalid, load
from support.docs import documented

ROOT = Path(__file__).parents[3]
GOOD = {"name": "ci", "cloudEvents": {"url": "https://ci.example.com/events"}}
CHAT = {"name": "team", "apprise": {"urlSecret": {"name": "chat", "key": "url"}}}
SECRET = {"name": "sink", "key": "token"}
TRACES = {"name": "traces", "traces": {"url": "http://collector:4318/v1/traces"}}


def write(folder: Path, content: object) -> Path:
    path = folder / "notifications.yaml"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return path


def test_sinks_of_all_kinds_are_read(tmp_path: Path) -> None:
    sinks = [GOOD, {**CHAT, "title": "x"}, TRACES]
    found = load(write(tmp_path, {"cluster": "prod", "sinks": sinks}))
    assert [sink.name for sink in found.sinks] == ["ci", "team", "traces"]
    assert found.sinks[1].retry_for == "24h"


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ("a: [", "is not YAML"),
        ("", "the file: Input should be"),
        ({"sinks": []}, "sinks: Tuple should have at least 1 item"),
        ({"sinks": [GOOD, GOOD]}, "the file: two sinks have the name 'ci'; names must differ"),
        ({"sinks": [{"name": "ci"}]}, r"sinks\[0\]: set one of cloudEvents, apprise and traces"),
        ({"sinks": [{**GOOD, **CHAT}]}, r"sinks\[0\]: set one of cloudEvents, apprise and traces"),
        (
            {"sinks": [{**TRACES, "match": {"types": ["Promoted"]}}]},
            r"sinks\[0\]: match.types is not for traces",
        ),
        (
            {"sinks": [{**TRACES, "title": "x"}]},
            r"sinks\[0\]: title, body and modelTexts are for apprise",
        ),
        (
            {"sinks": [{"name": "traces", "traces": {"url": "http://collector:4318/"}}]},
            r"sinks\[0\]\.traces: url needs the path of the receiver, such as /v1/traces",
        ),
        (
            {"sinks": [{**GOOD, "body": "x"}]},
            r"sinks\[0\]: title, body and modelTexts are for apprise",
        ),
        ({"sinks": [{**GOOD, "name": "A b"}]}, r"sinks\[0\]\.name: String should match pattern"),
        ({"sinks": [{**GOOD, "retries": 3}]}, r"sinks\[0\]\.retries: unknown field"),
        ({"sinks": [{**GOOD, "retryFor": "soon"}]}, r"sinks\[0\]\.retryFor: String should match"),
        (
            {"sinks": [{"name": "ci", "cloudEvents": {"url": "ftp://x"}}]},
            r"sinks\[0\]\.cloudEvents\.url: String should match pattern",
        ),
        (
            {"sinks": [{"name": "ci", "cloudEvents": {"url": "https://ci.example:port/"}}]},
            r"sinks\[0\]\.cloudEvents\.url: String should match pattern",
        ),
        (
            {"sinks": [{"name": "traces", "traces": {"url": "http://[::1/v1/traces"}}]},
            r"sinks\[0\]\.traces\.url: String should match pattern",
        ),
        *(
            (
                {"sinks": [{"name": "ci", "cloudEvents": {"url": url}}]},
                rf"sinks\[0\]\.cloudEvents\.url: {error}",
            )
            for url, error in (
                ("http://h:0/", "String should match"),
                ("http://h:65536/", "String should match"),
                ("http://h:99999/", "String should match"),
                ("http://../", "String should match"),
                ("http://a..b/", "String should match"),
                ("http://[:::]/", "the host in brackets is not an IPv6 address"),
                ("http://[1.2.3.4]/", "the host in brackets is not an IPv6 address"),
                ("http://user@[1::2::3]:8080/", "the host in brackets is not an IPv6 address"),
            )
        ),
        *(
            (
                {"sinks": [{"name": "s", kind: {"url": url, "tokenSecret": SECRET}}]},
                rf"sinks\[0\]\.{kind}: url has a user, and tokenSecret is set; remove one of them",
            )
            for kind in ("cloudEvents", "traces")
            for url in ("https://user:pw@h/v1/traces", "https://user@[::1]:4318/v1/traces")
        ),
        (
            {"sinks": [{"name": "ci", "cloudEvents": {}}]},
            r"sinks\[0\]\.cloudEvents: set either url or urlSecret",
        ),
        (
            {"sinks": [{**GOOD, "match": {"types": ["Promotd"]}}]},
            r"sinks\[0\]\.match\.types\[0\]: Input should be 'Started', 'WeightInEffect'",
        ),
    ],
)
def test_mistake_names_the_field(tmp_path: Path, content: object, error: str) -> None:
    with pytest.raises(SettingsInvalid, match=error):
        load(write(tmp_path, content))


@pytest.mark.parametrize(
    "url",
    [
        "http://h",
        "http://h:1",
        "http://h:65535/a@b",
        "https://a.b.svc.cluster.local.:443/?x=[y]",
        "https://user:p:w@h/",
        "http://[::1]:4318/v1/traces",
        "http://[::ffff:127.0.0.1]/",
        "http://127.0.0.1:8080",
        "http://bücher.example/",
    ],
)
def test_urls_of_receivers_are_valid_in_the_file_and_in_the_chart(tmp_path: Path, url: str) -> None:
    sink = {"name": "ci", "cloudEvents": {"url": url}}
    (found,) = load(write(tmp_path, {"sinks": [sink]})).sinks
    assert found.cloud_events
    assert found.cloud_events.url == url
    for pattern in chart_patterns():
        assert re.search(pattern, url)


def chart_patterns() -> list[str]:
    """The patterns of the URLs of sinks in the schema of the chart."""
    schema = json.loads((ROOT / "charts" / "canarium" / "values.schema.json").read_text())
    sinks = schema["properties"]["notifications"]["properties"]["sinks"]
    kinds = sinks["items"]["properties"]
    return [kinds[kind]["properties"]["url"]["pattern"] for kind in ("cloudEvents", "traces")]


def test_chart_has_the_pattern_of_the_file() -> None:
    (found,) = Receiver.model_json_schema()["properties"]["url"]["anyOf"][:1]
    assert chart_patterns() == [found["pattern"]] * 2


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid, match=r"cannot read .*nowhere\.yaml: No such file"):
        load(tmp_path / "nowhere.yaml")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sink", "code", "error"),
    [
        (CHAT, 0, ""),
        ({**CHAT, "title": "{{ nmae }}"}, 2, "canarium notify: sink team: title: 'nmae' is"),
    ],
)
def test_command_checks_the_file_and_its_templates(
    tmp_path: Path, sink: object, code: int, error: str
) -> None:
    path = write(tmp_path, {"sinks": [sink]})
    words = documented("docs/guides/notifications.md", "canarium notify --config")
    words = [str(path) if word == "notifications.yaml" else word for word in words]
    command = [sys.executable, "-m", "canarium", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr[: len(error)]) == (code, error)


def examples() -> list[dict[str, Any]]:
    """The values of each example in the guide."""
    page = (ROOT / "docs" / "guides" / "notifications.md").read_text()
    blocks = re.findall(r"```yaml\n(.*?)```", page, re.S)
    assert blocks
    parsed = [yaml.safe_load(block) for block in blocks]
    return [whole["notifications"] for whole in parsed if "notifications" in whole]


@pytest.mark.parametrize("values", examples(), ids=lambda values: values["sinks"][0]["name"])
def test_values_of_the_guide_are_valid(tmp_path: Path, values: dict[str, Any]) -> None:
    path = write(tmp_path, {"cluster": values["cluster"], "sinks": values["sinks"]})
    check(load(path), tmp_path)


def test_guide_and_chart_know_every_type() -> None:
    page = (ROOT / "docs" / "guides" / "notifications.md").read_text()
    schema = json.loads((ROOT / "charts" / "canarium" / "values.schema.json").read_text())
    sinks = schema["properties"]["notifications"]["properties"]["sinks"]
    listed = sinks["items"]["properties"]["match"]["properties"]["types"]["items"]["enum"]
    assert listed == [str(one) for one in TransitionType]
    assert all(f"`{one}`" in page for one in TransitionType)
