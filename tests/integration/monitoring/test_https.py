"""A real Prometheus reads the operator's metrics over HTTPS, while its certificate is replaced."""

from __future__ import annotations

import os
import ssl
import time
from pathlib import Path
from typing import Any

from integration.conftest import PATIENT_LEASE, Operator
from integration.monitoring.prometheus import Prometheus, free_port, running, until
from sandbox.pki import Authority

NAME = "canarium-metrics.canarium.svc"


def replace(folder: Path, authority: Authority, name: str) -> None:
    """Puts a pair into the folder as the kubelet does: both files change in one step."""
    certificate, key = authority.pair(name)
    version = folder / f"..{name}"
    version.mkdir(parents=True)
    (version / "tls.crt").write_bytes(certificate.read_bytes())
    (version / "tls.key").write_bytes(key.read_bytes())
    link = folder / "..new"
    link.symlink_to(version.name)
    os.replace(link, folder / "..data")
    for file in ("tls.crt", "tls.key"):
        if not (folder / file).is_symlink():
            (folder / file).symlink_to(Path("..data") / file)


def job(name: str, port: int, authority: Authority) -> dict[str, Any]:
    return {
        "job_name": name,
        "scheme": "https",
        "tls_config": {"ca_file": str(authority.certificate), "server_name": NAME},
        "static_configs": [{"targets": [f"127.0.0.1:{port}"]}],
    }


def up(prometheus: Prometheus, name: str) -> list[str]:
    return [one["value"][1] for one in prometheus.instant(f'up{{job="{name}"}}')]


def test_prometheus_reads_over_https_with_each_certificate(
    granted: Path, installed: None, tmp_path: Path
) -> None:
    authority, other = Authority(tmp_path / "pki"), Authority(tmp_path / "other")
    authority.make()
    other.make()
    for name in ("first", "second"):
        authority.serving(name, [], [NAME])
    folder = tmp_path / "certificate"
    replace(folder, authority, "first")
    port = free_port()
    flags = ["--lease-namespace", "default", *PATIENT_LEASE, "--metrics-port", str(port)]
    flags += ["--metrics-certificate", str(folder)]
    operator = Operator(granted, tmp_path / "operator.log", *flags)
    jobs = [job("verified", port, authority), job("stranger", port, other)]
    operator.start()
    try:
        with running(tmp_path / "prometheus", free_port(), jobs) as prometheus:
            until(lambda: up(prometheus, "verified") == ["1"])
            assert prometheus.instant('canarium_build_info{job="verified"}')
            until(lambda: up(prometheus, "stranger") == ["0"])
            served = ssl.get_server_certificate(("127.0.0.1", port))
            replace(folder, authority, "second")
            until(lambda: ssl.get_server_certificate(("127.0.0.1", port)) != served)
            # Prometheus keeps its connection, or opens one with the new certificate.
            time.sleep(3)
            lost = prometheus.instant('min_over_time(up{job="verified"}[3s])')
            assert [one["value"][1] for one in lost] == ["1"]
    finally:
        operator.stop()
    with running(tmp_path / "later", free_port(), jobs) as prometheus:
        operator.start()
        try:
            until(lambda: up(prometheus, "verified") == ["1"])
        finally:
            operator.stop()
