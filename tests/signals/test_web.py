"""What the operator's own client refuses, whatever a user's spec says."""

from __future__ import annotations

import pytest
from aiohttp import web as server

from canarium.signals import web as module
from canarium.signals.web import NoAnswer, Web
from signals.conftest import Served


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:1/", "http://localhost:1/", "http://169.254.169.254/latest",
     "http://[::1]:1/", "http://0.0.0.0:1/"],
)  # fmt: skip
async def test_own_and_metadata_addresses_are_refused(url: str) -> None:
    web = Web()
    try:
        with pytest.raises(NoAnswer, match="not an address that the operator asks"):
            await web.request("GET", url)
    finally:
        await web.close()


async def test_redirect_is_not_followed(web: Web, served: Served) -> None:
    async def away(request: server.Request) -> server.Response:
        return server.Response(status=302, headers={"Location": "http://169.254.169.254/"})

    served.handler = away
    assert (await web.request("GET", served.url)).status == 302
    assert len(served.requests) == 1


async def test_answer_without_end_is_cut(
    web: Web, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LONGEST", 1000)
    served.says("x" * 1001)
    with pytest.raises(NoAnswer, match="longer than"):
        await web.request("GET", served.url)


async def test_nobody_there_is_no_answer(web: Web) -> None:
    with pytest.raises(NoAnswer, match="ClientConnectorError"):
        await web.request("GET", "http://127.0.0.1:1/")
