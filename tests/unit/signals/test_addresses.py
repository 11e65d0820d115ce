"""H1, H5: the forms that an address has, and which of them the operator connects to."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from aiohttp.abc import ResolveResult
from aiohttp.resolver import AsyncResolver

from canarium.signals.addresses import AddressPolicy, authority, parse
from canarium.signals.errors import AddressRefused, NoAnswer
from canarium.signals.http_client import HttpClient
from signals.conftest import LOOPBACK, Responder

#: Loopback and the metadata services, in the forms in which they can be written.
REFUSED = [
    # loopback
    "127.0.0.1", "127.1", "127.255.255.254", "2130706433", "0x7f000001", "0x7f.0.0.1",
    "017700000001", "0177.0.0.1", "0", "0.0.0.0", "0.1.2.3", "::", "::1",
    # IPv4 within IPv6: mapped, translated, compatible, NAT64, 6to4, Teredo, ISATAP
    "::ffff:127.0.0.1", "::ffff:7f00:1", "0:0:0:0:0:ffff:127.0.0.1", "::ffff:0:127.0.0.1",
    "::127.0.0.1", "::169.254.169.254", "::ffff:169.254.169.254",
    "64:ff9b::127.0.0.1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2002:a9fe:a9fe::",
    "2002:a9fe:a9fe::1", "2001:0:7f00:1::", "2001:0:102:304::5601:5601",
    "2001:db8::5efe:169.254.169.254", "2001:db8::200:5efe:127.0.0.1",
    # NAT64 for local use, with prefixes of 96, 64, 56 and 48 bits
    "64:ff9b:1::a9fe:a9fe", "64:ff9b:1:0:a9:fea9:fe00:0", "64:ff9b:1:a9:fe:a9fe::",
    "64:ff9b:1:a9fe:a9:fe00::",
    # link-local, metadata of clouds, multicast, broadcast
    "169.254.169.254", "169.254.170.2", "169.254.170.23", "2852039166", "0xa9fea9fe",
    "fe80::1", "fe80::a9fe:a9fe%1", "fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254",
    "fd00:42::42", "168.63.129.16", "100.100.100.200", "192.0.0.192", "::ffff:168.63.129.16",
    "fd00:c1::a9fe:a9fe", "fd00:a9fe:a9fe::1", "fd00:100::100:200",
    "255.255.255.255", "224.0.0.1", "239.255.255.250", "ff02::1",
]  # fmt: skip

#: Where a cluster's servers are, or the world's.
ACCEPTED = [
    "10.0.0.1", "172.16.5.4", "192.168.1.1", "100.64.0.1", "192.0.2.1", "8.8.8.8", "240.0.0.1",
    "fd12:3456::1", "2001:db8::1", "2606:4700::1111", "::ffff:10.0.0.1", "64:ff9b::8.8.8.8",
    "2002:808:808::1", "fd00:10:244::5",
]  # fmt: skip


@pytest.mark.parametrize("text", REFUSED)
async def test_own_and_metadata_addresses_are_refused_in_every_form(text: str) -> None:  # H1, H5
    web = HttpClient()
    host = f"[{text.replace('%', '%25')}]" if ":" in text else text
    try:
        with pytest.raises(AddressRefused, match="not an address that the operator connects to"):
            await web.request("GET", f"http://{host}:1/", patience=1)
    finally:
        await web.close()


@pytest.mark.parametrize("text", ACCEPTED)
def test_other_addresses_are_accepted(text: str) -> None:
    address = parse(text)
    assert address is not None
    assert AddressPolicy.DEFAULT.refusal(address) is None


@pytest.mark.parametrize("text", ["localhost", "prometheus.monitoring", "1.example.org", "", "a:b"])
def test_names_are_not_addresses(text: str) -> None:
    assert parse(text) is None


def test_administrator_allows_and_refuses_more() -> None:
    policy = AddressPolicy.of(
        ("127.0.0.1", "10.1.2.3", "fd20:ce::/64", "Prometheus.Example."), ("10.0.0.0/8",)
    )
    expected = {
        "127.0.0.1": None,
        "::ffff:127.0.0.1": None,
        "127.0.0.2": "loopback",
        "10.1.2.3": None,
        "10.1.2.4": "refused by the administrator",
        "::ffff:10.1.2.4": "refused by the administrator",
        "fd20:ce::254": None,
        "169.254.169.254": "link-local",
    }
    assert {text: policy.refusal(_address(text)) for text in expected} == expected
    assert policy.allows_host("prometheus.example")
    assert not policy.allows_host("other.example")


def test_refusals_of_an_administrator_do_not_apply_to_pods() -> None:
    policy = AddressPolicy.of((), ("10.0.0.0/8",)).without_additions()
    assert policy.refusal(_address("10.244.0.7")) is None
    assert policy.refusal(_address("127.0.0.1")) == "loopback"


@pytest.mark.parametrize("entry", ["10.0.0.0/33", "http://a", "a b", ""])
def test_entry_that_is_neither_network_nor_host_is_an_error(entry: str) -> None:
    with pytest.raises(ValueError, match="not a CIDR"):
        AddressPolicy.of((entry,))


def test_port_follows_the_brackets_of_an_ipv6_address() -> None:
    assert authority("10.0.0.1", 80) == "10.0.0.1:80"
    assert authority("fd00::1", 80) == "[fd00::1]:80"


@pytest_asyncio.fixture
async def guarded() -> AsyncIterator[HttpClient]:
    made = HttpClient()
    yield made
    await made.close()


async def test_name_of_loopback_is_refused_once_it_is_resolved(guarded: HttpClient) -> None:
    with pytest.raises(AddressRefused, match="localhost is not an address"):
        await guarded.request("GET", "http://localhost:1/", patience=1)


async def test_address_that_a_name_changes_to_is_refused_by_the_socket(
    guarded: HttpClient, responder: Responder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """H1: rebinding: the check of the name passes, and the connection would go elsewhere."""

    async def resolve(
        self: AsyncResolver, host: str, port: int = 0, family: Any = socket.AF_INET
    ) -> list[ResolveResult]:
        found = {"hostname": host, "host": "192.0.2.1", "port": port, "proto": 0, "flags": 0}
        asyncio.get_running_loop().call_soon(found.update, {"host": "127.0.0.1"})
        return [Turning({**found, "family": socket.AF_INET})]  # type: ignore[list-item]

    monkeypatch.setattr(AsyncResolver, "resolve", resolve)
    with pytest.raises(AddressRefused, match="loopback"):
        await guarded.request("GET", f"http://rebinding.example:{responder.port}/", patience=5)
    assert responder.requests == []


class Turning(dict[str, Any]):
    """A resolution whose address is another one at its second reading."""

    reads = 0

    def __getitem__(self, name: str) -> Any:
        if name == "host":
            self.reads += 1
            return "192.0.2.1" if self.reads == 1 else "127.0.0.1"
        return super().__getitem__(name)


async def test_host_that_is_allowed_by_name_is_connected_to(responder: Responder) -> None:
    web = HttpClient(AddressPolicy.of(("localhost",)))
    try:
        answer = await web.request("GET", f"http://localhost:{responder.port}/", patience=5)
        assert answer.status == 200
        with pytest.raises(AddressRefused):
            await web.request("GET", f"http://127.0.0.1:{responder.port}/", patience=5)
    finally:
        await web.close()


async def test_redirect_to_a_refused_address_is_not_followed(responder: Responder) -> None:
    from aiohttp import web as server

    async def away(request: server.Request) -> server.Response:
        return server.Response(status=302, headers={"Location": "http://169.254.169.254/"})

    responder.handler = away
    web = HttpClient(LOOPBACK)
    try:
        assert (await web.request("GET", responder.url)).status == 302
    finally:
        await web.close()
    assert len(responder.requests) == 1


#: H9: where a secret can stand in an address; none of it is quoted when the request fails.
SECRETS = [
    "http:x?t=SECRET", "http:///SECRET", "http://SECRET@127.0.0.1:1/", "http://u:SECRET@[::1]:1/",
    "http://127.0.0.1:1/SECRET?a=SECRET#SECRET", "http://192.0.2.1:99999/SECRET",
    "http://[SECRET]/", "http://a b/SECRET", "SECRET://x", "http://exa\nmple/SECRET",
    "http://nowhere.invalid/SECRET?q=SECRET", "http://x:SECRET/", "//SECRET", "http://[::1/SECRET",
]  # fmt: skip


@pytest.mark.parametrize("url", SECRETS)
async def test_refusal_quotes_only_scheme_and_host(url: str) -> None:  # H9
    web = HttpClient()
    try:
        with pytest.raises(NoAnswer) as caught:
            await web.request("GET", url, patience=3)
    finally:
        await web.close()
    assert "SECRET" not in str(caught.value)
    assert "\n" not in str(caught.value)


def _address(text: str) -> Any:
    found = parse(text)
    assert found is not None
    return found
