"""What the pages show, and what they show when something is missing, forbidden or hostile."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest

from canarium.view.effective_commands import effective_commands
from canarium_dashboard.settings import Settings
from dashboard.standin import TOKEN, StandInApi, browsing, copies
from view.samples import SAMPLES

_MODEL = "/models/demo/fraud"
_HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"


class Tags(HTMLParser):
    """Collects the tags of a page, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words += data


@pytest.mark.parametrize("name", SAMPLES)
async def test_model_page_shows_the_state_of_every_sample(name: str) -> None:
    api = StandInApi(name)
    async with browsing(api) as browser:
        text = (await browser.get(_MODEL)).text
    words = re.sub(r"\s+", " ", Tags(text).words)
    assert re.sub(r"\s+", " ", api.model["status"]["message"]) in words
    for condition in api.model["status"]["conditions"]:
        assert condition["type"] in words
    for item in api.items:
        if item["kind"] == "Pod":
            assert item["metadata"]["name"] in words


async def test_rollback_is_shown_with_its_evidence() -> None:
    async with browsing(StandInApi("rolled-back")) as browser:
        text = (await browser.get(_MODEL)).text
    words = Tags(text).words
    assert "ServerExited" in words
    assert "Evidence:" in words
    assert "pod fraud-mxclk5qg-687ccff6cd-fnrgp" in words
    assert "observed exit code 1" in words
    assert "/pods/fraud-mxclk5qg-687ccff6cd-fnrgp/log?container=server&amp;previous=1" in text


async def test_failed_revision_is_shown_with_its_weight_and_step() -> None:
    api = StandInApi("rolled-back")
    for item in api.items:
        notes = item["metadata"].get("annotations", {})
        if "canarium.dev/failure" in notes:
            failure = json.loads(notes["canarium.dev/failure"]) | {"weight": 25, "step": "1/3"}
            notes["canarium.dev/failure"] = json.dumps(failure)
    # A later spec: the status reports no failure any more.
    del api.model["status"]["failure"]
    async with browsing(api) as browser:
        model = Tags((await browser.get(_MODEL)).text).words
        failed = Tags((await browser.get(f"{_MODEL}/revisions/mxclk5qg")).text).words
        serving = Tags((await browser.get(f"{_MODEL}/revisions/4nb6hnp6")).text).words
    assert "failed at 25 %, step 1/3" in model
    assert re.search(r"Failed at\s*25 %, step 1/3", failed)
    assert "Failed at" not in serving


async def test_timeline_is_a_picture_with_words() -> None:
    async with browsing(StandInApi("rolled-back")) as browser:
        tags = Tags((await browser.get(_MODEL)).text)
    pictures = [a for tag, a in tags.tags if tag == "svg"]
    assert any("Who served when" in str(a["aria-label"]) for a in pictures)
    assert all(a["role"] == "img" for a in pictures)
    assert "RolledBack: the server exited with code 1" in tags.words


def hostile(value: Any) -> Any:
    """The same object with a hostile text in every free text."""
    if isinstance(value, dict):
        kept = ("kind", "apiVersion", "revision", "uid", "creationTimestamp", "phase", "outcome")
        return {k: v if k in kept or "ime" in k else hostile(v) for k, v in value.items()}
    if isinstance(value, list):
        return [hostile(x) for x in value]
    return _HOSTILE if isinstance(value, str) else value


async def test_hostile_texts_are_escaped_everywhere() -> None:
    api = StandInApi("rolled-back")
    labels = {
        i: json.loads(json.dumps(x["metadata"].get("labels"))) for i, x in enumerate(api.items)
    }
    for index, item in enumerate(api.items):
        changed = hostile(item)
        changed["metadata"]["labels"] = labels[index]
        item.clear()
        item.update(changed)
    api.model["metadata"]["labels"] = {"a": "b"}
    async with browsing(api, actions=True) as browser:
        for path in ("/", _MODEL, "/runtimes", f"{_MODEL}/revisions/4nb6hnp6", f"/?q={_HOSTILE}"):
            answer = await browser.get(path)
            assert answer.status == 200, answer.text
            found = Tags(answer.text)
            scripts = [a for tag, a in found.tags if tag == "script"]
            assert [a.get("src", "").split("?")[0] for a in scripts] == ["/static/app.js"]
            assert not [a for tag, a in found.tags if tag == "img" or "onerror" in a], path
            assert "alert(" in found.words or path == "/runtimes"


async def test_log_is_text() -> None:
    async with browsing() as browser:
        answer = await browser.get(f"{_MODEL}/pods/fraud-4nb6hnp6-5b8f8c845c-jrws2/log")
    assert "&lt;script&gt;alert(&#39;log&#39;)" in answer.text


async def test_log_of_a_pod_of_something_else_is_not_found() -> None:
    api = StandInApi()
    pod = next(x for x in api.items if x["kind"] == "Pod")
    pod["metadata"]["labels"]["canarium.dev/model"] = "other"
    async with browsing(api) as browser:
        path = f"{_MODEL}/pods/{pod['metadata']['name']}/log"
        assert (await browser.get(path)).status == 404


async def test_kinds_that_are_forbidden_are_named() -> None:
    api = StandInApi()
    api.denied = {"pods", "events", "controllerrevisions"}
    async with browsing(api) as browser:
        answer = await browser.get(_MODEL)
    assert answer.status == 200
    for words in (
        "Pods are not shown",
        "Events are not shown",
        "ControllerRevisions are not shown",
    ):
        assert words in answer.text


async def test_fleet_falls_back_to_the_namespaces_that_may_be_listed() -> None:
    api = StandInApi()
    api.denied = {"v1alpha1/modeldeployments", "/api/v1/namespaces"}
    async with browsing(api) as browser:
        answer = await browser.get("/")
    assert answer.status == 200
    assert "You may not list the whole cluster. Shown: demo." in answer.text
    assert "fraud" in answer.text


async def test_unreachable_api_server_is_reported_and_the_page_tries_again() -> None:
    api = StandInApi()
    async with browsing(api) as browser:
        api.unreachable = True
        answer = await browser.get(_MODEL)
    assert answer.status == 503
    assert 'http-equiv="refresh"' in answer.text


@pytest.mark.parametrize("path", [f"{_MODEL}?a=b", "/runtimes", f"{_MODEL}/commands/abort"])
async def test_expired_token_leads_to_the_login_and_back(path: str) -> None:
    api = StandInApi()
    async with browsing(api, actions=True) as browser:
        api.accepted = {"new"}
        answer = await browser.get(path)
        assert answer.status == 303
        login = await browser.get(answer.headers["location"])
        assert "expired" in login.text
        target = re.search(r'name="next" value="([^"]+)"', login.text)
        assert target
        answer = await browser.post("/login", {"token": "new", "next": target[1]})
        assert answer.headers["location"] == path
        assert (await browser.get(path)).status == 200


async def test_token_that_expires_before_a_command_changes_nothing() -> None:
    api = StandInApi()
    path = f"{_MODEL}/commands/abort"
    async with browsing(api, actions=True) as browser:
        text = (await browser.get(path)).text
        fields = {
            name: text.split(f'name="{name}" value="')[-1].split('"')[0]
            for name in ("csrf", "revision", "token")
        }
        api.accepted = {"new"}
        answer = await browser.post(path, fields)
        assert answer.status == 303
        login = await browser.get(answer.headers["location"])
        assert "expired" in login.text
        assert f'name="next" value="{path}"' in login.text
        await browser.post("/login", {"token": "new", "next": path})
        assert (await browser.get(path)).status == 200
    assert api.writes == []


async def test_refused_token_is_explained() -> None:
    async with browsing(login=False) as browser:
        for token in ("wrong", "two words", ""):
            answer = await browser.post("/login", {"token": token, "next": "/"})
            assert answer.status == 401
            assert "token" in Tags(answer.text).words
            assert "set-cookie" not in answer.headers


async def test_logout_ends_the_session() -> None:
    async with browsing() as browser:
        text = (await browser.get("/")).text
        cookies = dict(browser.cookies)
        csrf = re.search(r'name="csrf" value="([^"]+)"', text)
        assert csrf
        assert (await browser.post("/logout", {"csrf": "wrong"})).status == 403
        assert (await browser.post("/logout", {"csrf": csrf[1]})).status == 303
        browser.cookies = cookies
        assert (await browser.get("/")).status == 303


async def test_sub_path_is_in_every_address() -> None:
    async with browsing(base_path="/ops/canarium", actions=True) as browser:
        for path in ("/", _MODEL, "/runtimes", f"{_MODEL}/commands/abort"):
            answer = await browser.get(f"/ops/canarium{path}")
            assert answer.status == 200
            found = [
                a[name]
                for tag, a in Tags(answer.text).tags
                for name in ("href", "src", "action", "data-stream")
                if a.get(name) and not str(a[name]).startswith(("#", "?"))
            ]
            assert found
            assert all(str(x).startswith("/ops/canarium/") for x in found), found
        assert (await browser.get("/ops/canarium/static/app.css")).status == 200
        assert (await browser.get("/ops/canarium")).headers["location"] == "/ops/canarium/"
        assert (await browser.get("/")).status == 404


async def test_login_returns_to_the_page_asked_for_below_a_base_path() -> None:
    async with browsing(base_path="/ops/canarium", login=False) as browser:
        asked = f"/ops/canarium{_MODEL}?tab=pods"
        login = (await browser.get(asked)).headers["location"]
        target = parse_qs(urlsplit(login).query)["next"][0]
        form = {"token": TOKEN, "next": target}
        answer = await browser.post("/ops/canarium/login", form)
        assert answer.headers["location"] == asked
        assert (await browser.get(asked)).status == 200


@pytest.mark.parametrize("path", ["canarium", "/canarium/", "/a b", "//evil", "/a?b"])
def test_base_path_that_is_not_one_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="base path"):
        Settings(base_path=path)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", 50),
        ("?phase=RolledBack", 10),
        ("?phase=RolledBack&phase=Baking", 20),
        ("?attention=1", 10),
        ("?selector=tier%3Dgold", 5),
        ("?selector=tier+in+(gold,silver),!other", 50),
        ("?q=model-00001", 1),
        ("?q=team-3+v2", None),
        ("?page=99", 50),
        ("?page=x", 50),
    ],
)
async def test_filters_are_in_the_address(query: str, expected: int | None) -> None:
    api = StandInApi()
    api.many = copies(50)
    async with browsing(api, page_size=20) as browser:
        answer = await browser.get(f"/{query}")
    found = re.search(r"(\d+) of (\d+) models", answer.text)
    assert answer.status == 200
    assert found
    if expected is not None:
        assert int(found[1]) == expected
    wanted = [pair for pair in parse_qsl(query.lstrip("?")) if pair[0] != "page"]
    links = [a["href"] for tag, a in Tags(answer.text).tags if a.get("rel") in ("next", "prev")]
    assert bool(links) == (int(found[1]) > 20)
    for link in links:
        assert [pair for pair in parse_qsl(str(link).lstrip("?")) if pair[0] != "page"] == wanted


async def test_wrong_selector_is_reported() -> None:
    async with browsing() as browser:
        answer = await browser.get("/?selector=a+b")
    assert "is not a label selector" in Tags(answer.text).words
    assert "fraud" in answer.text


async def test_models_that_need_attention_are_listed_first() -> None:
    api = StandInApi()
    api.many = copies(50)
    async with browsing(api) as browser:
        text = (await browser.get("/")).text
    rows = re.findall(r'class="badge (\w+)"', text)
    order = ["failed", "inprogress", "none"]
    assert rows == sorted(rows, key=order.index)
    assert rows[0] == "failed"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("step-pause", ["promote", "promote-full", "abort", "pause"]),
        ("baking", ["undo", "pause"]),
        ("rolled-back", ["retry"]),
        ("ready", []),
    ],
)
def test_commands_are_offered_where_they_have_an_effect(name: str, expected: list[str]) -> None:
    assert list(effective_commands(StandInApi(name).model)) == expected


async def test_page_shows_who_is_logged_in() -> None:
    async with browsing() as browser:
        text = (await browser.get("/")).text
    assert "system:serviceaccount:demo:ann" in text
    assert TOKEN not in text


async def test_revision_page_has_the_record_for_audits() -> None:
    async with browsing() as browser:
        text = (await browser.get(f"{_MODEL}/revisions/4nb6hnp6?against=jgpcfw9h")).text
    words = Tags(text).words
    assert '"predicateType": "https://canarium.dev/attestation/revision/v1alpha1"' in words
    assert "From jgpcfw9h to 4nb6hnp6" in words
    assert "model.version" in words


async def test_revision_page_has_the_training_run() -> None:
    api = StandInApi("rolled-back")
    record = next(
        x
        for x in api.items
        if x["kind"] == "ControllerRevision" and x["metadata"]["name"] == "fraud-mxclk5qg"
    )
    run = {"runId": "f80d", "gitCommit": _HOSTILE, "metrics": {"auc": 0.93}}
    record["metadata"]["annotations"]["canarium.dev/training-run"] = json.dumps(run)
    async with browsing(api) as browser:
        text = (await browser.get(f"{_MODEL}/revisions/mxclk5qg")).text
        without = (await browser.get(f"{_MODEL}/revisions/4nb6hnp6")).text
    assert "<h2>Training run</h2>" in text
    assert "<dt>Metrics</dt><dd>auc = 0.93</dd>" in text
    assert "<script>alert" not in text
    assert "Training run" not in without
