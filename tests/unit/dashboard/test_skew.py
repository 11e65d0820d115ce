"""Versions that do not fit, and lists that are too long: pages report them and do not try again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from canarium.view.objects import Raw
from canarium_dashboard import feeds
from canarium_dashboard.access.identity import Identity
from canarium_dashboard.api import Api, ApiFault, Skew
from dashboard.standin import StandInApi, browsing, copies

_MODEL = "/models/demo/fraud"
_AGAIN = 'http-equiv="refresh" content="5"'
_PERSON = Identity("ann", "ann")


class _Skewed(StandInApi):
    """CRDs of another version, whose table has other columns."""

    async def models(self, identity: Identity, path: str, version: list[str]) -> AsyncIterator[Raw]:
        raise Skew("The CRDs of the cluster are of another version (no column Step).")
        yield {}


async def test_crds_of_another_version_are_not_shown_as_an_outage() -> None:
    async with browsing(_Skewed()) as browser:
        answer = await browser.get("/")
    assert answer.status == 501
    assert "The versions do not fit" in answer.text
    assert "no column Step). This dashboard is of version 0.1.0." in answer.text
    assert "kubectl modeldeploy version" in answer.text
    assert "cannot be reached" not in answer.text
    assert _AGAIN not in answer.text


async def test_list_that_is_too_long_is_not_read_again_by_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    api = StandInApi()
    api.many = copies(20)
    monkeypatch.setattr(feeds, "BYTES", 1_000)
    async with browsing(api) as browser:
        answer = await browser.get("/")
        assert answer.status == 413
        assert "Too many models" in answer.text
        assert "?namespace=NAME" in answer.text
        assert _AGAIN not in answer.text


async def test_page_names_what_a_newer_operator_has_written() -> None:
    api = StandInApi()
    api.model["status"]["phase"] = "Contemplating"
    async with browsing(api) as browser:
        text = (await browser.get(_MODEL)).text
        assert "does not know phase Contemplating. The operator is newer" in text
        api.model["status"]["phase"] = "Ready"
        assert "does not know" not in (await browser.get(_MODEL)).text


class _Server(Api):
    """An API server that answers with a status and a message, and with these versions."""

    def __init__(self, message: str, versions: list[str]) -> None:
        super().__init__("https://api.example")
        self._message, self._versions = message, versions

    async def get(self, identity: Identity, path: str, **params: str) -> dict[str, Any]:
        assert path == "/apis/canarium.dev"
        return {"versions": [{"version": one} for one in self._versions]}

    async def answer(self, path: str) -> ApiFault:
        return await self._unserved(_PERSON, path, ApiFault(404, self._message))


_NOT_SERVED = "the server could not find the requested resource"
_OURS = "/apis/canarium.dev/v1alpha1/modeldeployments"


@pytest.mark.parametrize(
    ("message", "versions", "path", "status"),
    [
        (_NOT_SERVED, ["v1"], _OURS, 501),
        (_NOT_SERVED, ["v1", "v1alpha1"], _OURS, 404),
        (_NOT_SERVED, [], _OURS, 404),
        ('modeldeployments.canarium.dev "fraud" not found', ["v1"], _OURS, 404),
        (_NOT_SERVED, ["v1"], "/apis/gateway.networking.k8s.io/v1/httproutes", 404),
    ],
)
async def test_path_that_is_not_served_is_skew_where_another_version_is(
    message: str, versions: list[str], path: str, status: int
) -> None:
    fault = await _Server(message, versions).answer(path)
    assert fault.status == status
    if status == 501:
        assert "have canarium.dev/v1, but not canarium.dev/v1alpha1" in fault.message
