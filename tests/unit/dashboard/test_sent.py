"""The banner about a command: only what this process has sent for this person is shown."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest

from canarium_dashboard.access.identity import Identity
from canarium_dashboard.access.token import COOKIE
from canarium_dashboard.sent import LIMIT, SentCommand, SentCommands
from dashboard.standin import StandInApi, browsing
from dashboard.test_protection import form_of

_MODEL = "/models/demo/fraud"
_BANNER = 'id="command"'
_ANN, _BOB = Identity("ann", "ann"), Identity("bob", "bob")


@pytest.mark.parametrize(
    "sent",
    [
        "promote:4nb6hnp6:0123456789abcdef",
        "abort:call 555-0100 to confirm:0123456789abcdef",
        "0123456789abcdef",
        "",
    ],
)
async def test_link_from_elsewhere_shows_no_banner(sent: str) -> None:
    async with browsing(actions=True) as browser:
        text = (await browser.get(f"{_MODEL}?{urlencode({'sent': sent})}")).text
    assert _BANNER not in text


async def test_command_that_was_sent_is_shown_to_its_sender_only() -> None:
    api = StandInApi()
    path = f"{_MODEL}/commands/abort"
    async with browsing(api, actions=True) as browser:
        answer = await browser.post(path, await form_of(browser, path))
        page = answer.headers["location"].removesuffix("#command")
        text = (await browser.get(page)).text
        assert "<strong>abort</strong> 4nb6hnp6: Sent, waiting for the operator" in text
        assert _BANNER in (await browser.get(page)).text, "also when the page is read again"
        api.accepted.add("token-of-another")
        browser.cookies.clear()
        await browser.post("/login", {"token": "token-of-another", "next": "/"})
        other = await browser.get(page)
        assert other.status == 200
        assert _BANNER not in other.text


def test_record_is_of_one_person_and_one_model() -> None:
    sent, command = SentCommands(), SentCommand("abort", "4nb6hnp6", "0123")
    number = sent.record(_ANN, "demo", "fraud", command)
    assert sent.find(_ANN, "demo", "fraud", number) == command
    assert sent.find(_BOB, "demo", "fraud", number) is None
    assert sent.find(_ANN, "demo", "other", number) is None
    assert sent.find(_ANN, "prod", "fraud", number) is None


def test_oldest_record_is_dropped_at_the_limit() -> None:
    sent, command = SentCommands(), SentCommand("abort", "4nb6hnp6", "0123")
    first, *_, last = [sent.record(_ANN, "demo", "fraud", command) for _ in range(LIMIT + 1)]
    assert sent.find(_ANN, "demo", "fraud", first) is None
    assert sent.find(_ANN, "demo", "fraud", last) == command


@pytest.mark.parametrize(("cookie", "shown"), [("", False), ("ended", True)])
async def test_address_alone_does_not_report_a_session_that_ended(cookie: str, shown: bool) -> None:
    async with browsing(login=False) as browser:
        if cookie:
            browser.cookies[COOKIE] = cookie
        text = (await browser.get("/login?next=/&expired=1")).text
    assert ("has ended" in text) is shown
