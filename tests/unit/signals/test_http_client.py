"""What the operator's HTTP client refuses, for any spec of a user."""

from __future__ import annotations

import pytest

from canarium.api.reasons import ConnectionLoss
from canarium.signals import http_client as module
from canarium.signals.errors import NoAnswer, Unreachable
from canarium.signals.http_client import HttpClient
from signals.conftest import Responder


async def test_error_that_is_kept_keeps_no_part_of_the_answer(
    web: HttpClient, responder: Responder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The traceback of an error has the frame that received the answer."""
    monkeypatch.setattr(module, "LONGEST", 1000)
    responder.responds("x" * 1001)
    with pytest.raises(NoAnswer, match="longer than") as caught:
        await web.request("GET", responder.url)
    frames = [entry.frame for entry in caught.traceback]
    (receiving,) = (frame.f_locals["content"] for frame in frames if "content" in frame.f_locals)
    assert receiving == b""


async def test_answer_without_end_is_cut(
    web: HttpClient, responder: Responder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LONGEST", 1000)
    responder.responds("x" * 1001)
    with pytest.raises(NoAnswer, match="longer than"):
        await web.request("GET", responder.url)


@pytest.mark.parametrize(
    "name", ["Content-Length", "transfer-encoding", "TE", "Connection", "Host"]
)
async def test_header_that_belongs_to_the_http_client_is_not_sent(
    web: HttpClient, responder: Responder, name: str
) -> None:
    """What follows would be another request, or reach another server behind the same address."""
    with pytest.raises(NoAnswer, match=f"the header {name.lower()} belongs to the HTTP client"):
        await web.request("POST", responder.url, headers={name: "3"}, body=b"abcGET / HTTP/1.1")
    assert responder.requests == []


async def test_refused_connection_is_unreachable(web: HttpClient) -> None:
    with pytest.raises(Unreachable) as caught:
        await web.request("GET", "http://127.0.0.1:1/")
    assert caught.value.loss is ConnectionLoss.REFUSED
