"""Metrics over HTTPS, read by a TLS client that verifies the certificate, which is replaced."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

import aiohttp
import pytest

from canarium.telemetry.metrics import OperatorMetrics
from canarium.telemetry.metrics_server import serve_metrics
from canarium.telemetry.serving_certificate import CertificateUnusable, ServingCertificate
from sandbox.pki import Authority

NAME = "canarium-metrics.canarium.svc"


@pytest.fixture(scope="module")
def authorities(tmp_path_factory: pytest.TempPathFactory) -> tuple[Authority, Authority]:
    """Two authorities, each with a certificate for the name of the Service."""
    made = []
    for name in ("old", "new"):
        authority = Authority(tmp_path_factory.mktemp(name))
        authority.make()
        authority.serving("metrics", [], [NAME])
        made.append(authority)
    return made[0], made[1]


class Volume:
    """A Secret that the kubelet mounts: links to a folder, which it replaces in one step."""

    def __init__(self, path: Path) -> None:
        self.path, self._version = path, 0
        path.mkdir()
        for name in ("tls.crt", "tls.key"):
            (path / name).symlink_to(Path("..data") / name)

    def put(self, certificate: bytes, key: bytes) -> None:
        self._version += 1
        folder = self.path / f"..{self._version}"
        folder.mkdir()
        (folder / "tls.crt").write_bytes(certificate)
        (folder / "tls.key").write_bytes(key)
        new = self.path / "..new"
        new.symlink_to(folder.name)
        os.replace(new, self.path / "..data")

    def hold(self, authority: Authority) -> None:
        certificate, key = authority.pair("metrics")
        self.put(certificate.read_bytes(), key.read_bytes())


async def read(port: int, authority: Authority, session: aiohttp.ClientSession) -> int:
    """Status of the answer to a client that trusts `authority`. Raises ClientSSLError."""
    trust = ssl.create_default_context(cafile=str(authority.certificate))
    url = f"https://127.0.0.1:{port}/metrics"
    async with session.get(url, ssl=trust, server_hostname=NAME) as answer:
        assert "canarium_build_info" in await answer.text()
        return answer.status


async def test_new_certificate_is_used_without_a_restart(
    authorities: tuple[Authority, Authority], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    old, new = authorities
    volume = Volume(tmp_path / "tls")
    volume.hold(old)
    serving = serve_metrics(OperatorMetrics().registry, "127.0.0.1", 0, certificate=volume.path)
    connector = aiohttp.TCPConnector(force_close=True)
    async with serving as port, aiohttp.ClientSession(connector=connector) as session:
        assert await read(port, old, session) == 200
        with pytest.raises(aiohttp.ClientSSLError):
            await read(port, new, session)
        volume.hold(new)
        assert await read(port, new, session) == 200
        with pytest.raises(aiohttp.ClientSSLError):
            await read(port, old, session)
        # A pair that does not fit is reported once, and the last one stays in use.
        volume.put(old.pair("metrics")[0].read_bytes(), new.pair("metrics")[1].read_bytes())
        assert await read(port, new, session) == 200
        assert await read(port, new, session) == 200
        faults = [r for r in caplog.records if "keeping the last certificate" in r.message]
        assert len(faults) == 1
        volume.hold(old)
        assert await read(port, old, session) == 200


async def test_client_without_a_name_and_open_connections_are_served(
    authorities: tuple[Authority, Authority], tmp_path: Path
) -> None:
    volume = Volume(tmp_path / "tls")
    volume.hold(authorities[0])
    serving = serve_metrics(OperatorMetrics().registry, "127.0.0.1", 0, certificate=volume.path)
    trusts = [ssl.create_default_context(cafile=str(a.certificate)) for a in authorities]
    trusts[1].check_hostname = False
    async with serving as port, aiohttp.ClientSession() as session:
        url = f"https://127.0.0.1:{port}/metrics"
        for authority in authorities:
            # The second time by the same connection, which keeps its certificate.
            async with session.get(url, ssl=trusts[0], server_hostname=NAME) as answer:
                assert answer.status == 200
            volume.hold(authority)
        # A client that connects to an address sends no name in its handshake.
        async with session.get(url, ssl=trusts[1]) as answer:
            assert answer.status == 200
        with pytest.raises(aiohttp.ClientError):
            await session.get(f"http://127.0.0.1:{port}/metrics")


async def test_older_protocols_are_refused(
    authorities: tuple[Authority, Authority], tmp_path: Path
) -> None:
    volume = Volume(tmp_path / "tls")
    volume.hold(authorities[0])
    assert ServingCertificate(volume.path).context.minimum_version is ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize("missing", ["tls.crt", "tls.key", "both"])
def test_folder_without_a_usable_pair_is_named_at_the_start(
    authorities: tuple[Authority, Authority], tmp_path: Path, missing: str
) -> None:
    certificate, key = authorities[0].pair("metrics")
    for name, source in (("tls.crt", certificate), ("tls.key", key)):
        if missing not in (name, "both"):
            (tmp_path / name).write_bytes(source.read_bytes())
    with pytest.raises(CertificateUnusable, match=str(tmp_path)):
        ServingCertificate(tmp_path)
