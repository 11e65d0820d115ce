"""What a sink has received survives a restart; what cannot be read stops nothing."""

from __future__ import annotations

import base64
import gzip
from typing import Any

import pytest

from canarium.core.times import stamp
from canarium.kube.clock import Timing
from canarium.kube.errors import ApiError
from canarium.notifier.cursors import Cursors
from canarium.notifier.notification import project
from canarium.notifier.outbox import Outbox
from unit.notifier.notifications import BEGAN


class Api:
    """ConfigMaps in memory."""

    def __init__(self) -> None:
        self.stored: dict[str, dict[str, Any]] = {}

    async def get(self, resource: object, namespace: str, name: str) -> dict[str, Any]:
        if name not in self.stored:
            raise ApiError(404, "NotFound", name)
        return self.stored[name]

    async def create(self, resource: object, namespace: str, body: dict[str, Any]) -> None:
        self.stored[body["metadata"]["name"]] = body

    async def merge(
        self, resource: object, namespace: str, name: str, patch: dict[str, Any]
    ) -> None:
        await self.get(resource, namespace, name)
        self.stored[name] |= patch


def cursors(api: Api) -> Cursors:
    return Cursors(api, "ml", "notifier", Timing(now=lambda: BEGAN))  # type: ignore[arg-type]


async def test_new_sink_begins_now_and_what_it_received_is_read_again() -> None:
    api = Api()
    outbox = await cursors(api).load("ci")
    assert (outbox.since, outbox.delivered) == (stamp(BEGAN), {})
    await cursors(api).store("ci", Outbox(outbox.since, {"u1": stamp(BEGAN + 3)}))
    again = await cursors(api).load("ci")
    assert (again.since, again.delivered) == (stamp(BEGAN), {"u1": stamp(BEGAN + 3)})


async def test_deleted_config_map_is_created_again() -> None:
    api = Api()
    await cursors(api).store("ci", Outbox(stamp(BEGAN), {"u1": stamp(BEGAN + 3)}))
    assert (await cursors(api).load("ci")).delivered == {"u1": stamp(BEGAN + 3)}


@pytest.mark.parametrize(
    "content",
    [
        "%%%",
        base64.b64encode(b"no gzip").decode(),
        base64.b64encode(gzip.compress(b"{}" * 50)[:20]).decode(),
        base64.b64encode(gzip.compress(b"{}" * 50)[:12] + b"damaged" * 5).decode(),
        base64.b64encode(gzip.compress(b"[]")).decode(),
        base64.b64encode(gzip.compress(b'{"since": 1, "delivered": {}}')).decode(),
    ],
    # The compressed bytes contain the second: workers would collect tests of different names.
    ids=["no base64", "no gzip", "cut off", "damaged", "no object", "no times"],
)
async def test_damaged_cursors_are_those_of_a_new_sink(content: str) -> None:
    api = Api()
    await cursors(api).load("ci")
    api.stored["notifier-ci"]["binaryData"] = {"delivered.json.gz": content}
    assert (await cursors(api).load("ci")).since == stamp(BEGAN)
    assert (await cursors(api).load("ci")).delivered == {}


def test_transition_that_cannot_be_read_is_left_out() -> None:
    good = {"time": stamp(BEGAN), "type": "Promoted"}
    times = ["0000-01-01T00:00:00Z", "2026-99-01T00:00:00Z", "soon", 7]
    listed = [*({**good, "time": time} for time in times), "text", None, good]
    meta = {"namespace": "risk", "name": "m", "uid": "u1", "resourceVersion": "1"}
    raw = {"metadata": meta, "status": {"transitions": listed}}
    assert [one.time for one in project(raw).transitions] == [stamp(BEGAN)]
    assert project({"metadata": meta, "status": {"transitions": "text"}}).transitions == ()
