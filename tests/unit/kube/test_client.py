"""What the client sends, and what it makes of the answers."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from canarium.kube.errors import ApiError
from canarium.kube.http import Client
from canarium.kube.limiter import ConcurrencyLimits
from canarium.kube.resources import DEPLOYMENTS, PODS, SERVICES
from canarium.kube.throttle import Throttle

PATH = "/apis/apps/v1/namespaces/ns/deployments/web"


async def test_apply_is_strict_and_in_our_name(api: Any, client: Client) -> None:
    body = {"metadata": {"name": "web"}, "spec": {"replicas": 2}}
    answer = await client.apply(DEPLOYMENTS, "ns", "web", body, force=True)
    request = api.requests[-1]
    assert (request.method, request.path) == ("PATCH", PATH)
    assert request.headers["Content-Type"] == "application/apply-patch+yaml"
    expected = {"fieldManager": "canarium", "fieldValidation": "Strict", "force": "true"}
    assert dict(request.query) == expected
    assert orjson.loads(api.bodies[-1]) == body
    assert answer["spec"] == {"replicas": 2}


async def test_merge_is_sent_to_the_subresource(api: Any, client: Client) -> None:
    await client.merge(DEPLOYMENTS, "ns", "web", {"status": {}}, subresource="status")
    assert api.requests[-1].path == PATH + "/status"
    assert api.requests[-1].headers["Content-Type"] == "application/merge-patch+json"


async def test_delete_of_a_missing_object_is_not_an_error(client: Client) -> None:
    assert await client.delete(DEPLOYMENTS, "ns", "web") is None


async def test_delete_spares_an_object_of_another_uid(api: Any, client: Client) -> None:
    api.put(PATH)
    with pytest.raises(ApiError) as caught:
        await client.delete(DEPLOYMENTS, "ns", "web", uid="another")
    assert caught.value.conflict
    assert PATH in api.objects


async def test_already_exists_differs_from_a_conflict(client: Client) -> None:
    await client.create(SERVICES, "ns", {"metadata": {"name": "s"}})
    with pytest.raises(ApiError) as caught:
        await client.create(SERVICES, "ns", {"metadata": {"name": "s"}})
    assert caught.value.already_exists


async def test_stale_replace_is_a_conflict(api: Any, client: Client) -> None:
    api.put(PATH)
    stale = {"metadata": {"name": "web", "resourceVersion": "1"}}
    with pytest.raises(ApiError) as caught:
        await client.replace(DEPLOYMENTS, "ns", "web", stale)
    assert caught.value.conflict
    assert not caught.value.already_exists


@pytest.mark.parametrize("status", [400, 403, 422])
async def test_rejected_write_raises_with_its_reason(api: Any, client: Client, status: int) -> None:
    api.faults = [api.status(status, "Invalid")]
    with pytest.raises(ApiError) as caught:
        await client.create(PODS, "ns", {"metadata": {"name": "p"}})
    assert caught.value.rejected
    assert caught.value.reason == "Invalid"


@pytest.mark.parametrize("page", ["<html>Bad Gateway</html>", "[]", '"down"', "null", "{}"])
async def test_proxys_page_is_an_api_error(api: Any, client: Client, page: str) -> None:
    api.faults = [aiohttp.web.Response(status=502, text=page)]
    with pytest.raises(ApiError) as caught:
        await client.get(PODS, "ns", "p")
    assert (caught.value.status, caught.value.rejected) == (502, False)


async def test_no_connection_is_an_api_error_without_status(client: Client) -> None:
    client._base = "http://127.0.0.1:1"
    with pytest.raises(ApiError) as caught:
        await client.get(PODS, "ns", "p")
    assert caught.value.status == 0


async def test_write_is_fenced_by_the_namespace_in_its_path(api: Any, client: Client) -> None:
    client._fence = lambda namespace: 5.0 if namespace == "ns" else 0.0
    await client.create(DEPLOYMENTS, "ns", {"metadata": {"name": "web"}})
    with pytest.raises(ApiError) as caught:
        await client.create(DEPLOYMENTS, "other", {"metadata": {"name": "web"}})
    assert caught.value.reason == "NotLeading"
    assert [r.path for r in api.requests] == [DEPLOYMENTS.path("ns")]


async def test_process_without_the_lease_may_read_and_not_write(api: Any, client: Client) -> None:
    client._fence = lambda namespace: 0.0
    await client.list(PODS, "ns")
    with pytest.raises(ApiError) as caught:
        await client.delete(DEPLOYMENTS, "ns", "web")
    assert caught.value.reason == "NotLeading"
    assert [r.method for r in api.requests] == ["GET"]


async def test_watch_survives_long_lines(api: Any, client: Client) -> None:
    meta = {"name": "p", "annotations": {"a": "x" * 1_000_000}}
    api.watches = [[{"type": "ADDED", "object": {"metadata": meta}}]]
    events = client.watch(PODS, None, resourceVersion="1")
    first = await anext(events)
    assert first["object"]["metadata"] == meta
    assert api.requests[-1].query["allowWatchBookmarks"] == "true"
    await events.aclose()  # type: ignore[attr-defined]


async def test_expired_watch_raises_the_error_for_410(api: Any, client: Client) -> None:
    status = {"code": 410, "reason": "Expired", "message": "too old resource version"}
    api.watches = [[{"type": "ERROR", "object": status}]]
    with pytest.raises(ApiError) as caught:
        await anext(client.watch(PODS, None, resourceVersion="1"))
    assert caught.value.gone


async def test_projected_token_is_read_again(api: Any, tmp_path: Path) -> None:
    from kubernetes.aio.client import Configuration
    from kubernetes.aio.config.incluster_config import InClusterConfigLoader

    token, ca = tmp_path / "token", tmp_path / "ca.crt"
    token.write_text("first")
    ca.write_text("not read here")
    environ = {"KUBERNETES_SERVICE_HOST": "h", "KUBERNETES_SERVICE_PORT": "1"}
    configuration = Configuration()
    loader = InClusterConfigLoader(str(token), str(ca), environ=environ)
    loader.load_and_set(configuration)
    async with aiohttp.ClientSession() as session:
        client = Client(configuration, session)
        client._base = api.url.rstrip("/")
        await client.list(PODS)
        token.write_text("second")
        loader.token_expires_at = datetime.now() - timedelta(seconds=1)
        await client.list(PODS)
    tokens = [request.headers["Authorization"] for request in api.requests]
    assert tokens == ["bearer first", "bearer second"]


async def test_throttling_error_has_its_retry_after(api: Any, client: Client) -> None:
    api.faults = [api.status(429, "TooManyRequests", **{"Retry-After": "7"})]
    with pytest.raises(ApiError) as caught:
        await client.list(PODS)
    assert caught.value.transient  # type: ignore[attr-defined]
    assert caught.value.retry_after == 7  # type: ignore[attr-defined]


# E1
async def test_request_that_the_server_had_no_capacity_for_is_sent_again(
    api: Any, client: Client
) -> None:
    api.faults = [
        api.status(429, "TooManyRequests"),
        api.status(503, "ServiceUnavailable", **{"Retry-After": "0"}),
    ]
    limits = ConcurrencyLimits.of(4)
    guarded = client.guarded(Throttle(100, 10), None, limits)
    await guarded.create(DEPLOYMENTS, "ns", {"metadata": {"name": "web"}})
    assert [request.method for request in api.requests] == ["POST"] * 3
    assert limits.writes.limit < 4
    assert (limits.writes.in_flight, limits.reads.limit) == (0, 32)


# E1
async def test_request_that_may_have_had_its_effect_is_sent_once(api: Any, client: Client) -> None:
    api.faults = [api.status(500, "InternalError", **{"Retry-After": "1"})]
    with pytest.raises(ApiError):
        await client.create(DEPLOYMENTS, "ns", {"metadata": {"name": "web"}})
    assert len(api.requests) == 1


# E1
async def test_watch_holds_a_seat_only_until_it_has_begun(api: Any, client: Client) -> None:
    limits = ConcurrencyLimits.of(4)
    guarded = client.guarded(Throttle(100, 10), None, limits)
    api.watches = [[{"type": "BOOKMARK", "object": {}}]]
    events = guarded.watch(PODS, None, resourceVersion="1")
    await anext(events)
    assert limits.reads.in_flight == 0
    await events.aclose()  # type: ignore[attr-defined]
    api.faults = [api.status(429, "TooManyRequests")]
    with pytest.raises(ApiError):
        await anext(guarded.watch(PODS, None, resourceVersion="1"))
    assert limits.reads.limit < 32
