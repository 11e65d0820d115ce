"""Command line: `canarium run` runs the operator, `canarium fetch` downloads a model into a pod.

The two are shipped in two images whose libraries exclude each other (decision 0007), so each
command imports its own libraries only when it runs.
"""

from __future__ import annotations

import argparse
import re
import socket
import sys
from dataclasses import fields
from typing import Any, cast

from canarium import VERSION
from canarium.audit import cli as record
from canarium.config import Config
from canarium.fetch import cli as fetch
from canarium.signals.addresses import AddressPolicy


def main() -> int:
    """Runs the command and returns its exit code."""
    parser = argparse.ArgumentParser(prog="canarium", description=__doc__)
    parser.add_argument("--version", action="version", version=VERSION)
    default = Config()
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="run the operator")
    run.add_argument("--kubeconfig", help="path of a kubeconfig; default: in-cluster config")
    run.add_argument("--context", help="context of the kubeconfig")
    where = run.add_mutually_exclusive_group()
    where.add_argument(
        "--namespace",
        action="append",
        metavar="NAME",
        help="namespace to manage; may be repeated; default: all namespaces",
    )
    where.add_argument(
        "--namespace-selector",
        default="",
        metavar="LABELS",
        help="label selector of the namespaces to manage, such as models=yes",
    )
    run.add_argument(
        "--workers",
        type=int,
        default=default.workers,
        help="maximum concurrent API writes; four times as many models are reconciled concurrently",
    )
    run.add_argument("--qps", type=float, default=default.qps, help="maximum API writes per second")
    run.add_argument(
        "--burst", type=int, default=default.burst, help="maximum API writes in a burst"
    )
    run.add_argument("--lease-namespace", help="namespace of the Lease for leader election")
    for name, meaning in (
        ("duration", "lease duration in seconds"),
        ("renew", "seconds after which a leader that cannot renew its lease exits"),
        ("retry", "seconds between two attempts to acquire or renew the lease"),
    ):
        usual = getattr(default, f"lease_{name}")
        run.add_argument(f"--lease-{name}", type=float, default=usual, help=meaning)
    run.add_argument(
        "--health",
        type=_address,
        metavar="[ADDRESS]:PORT",
        help="address for /healthz (liveness) and /readyz (readiness); without ADDRESS: all "
        "IPv4 and IPv6 addresses",
    )
    run.add_argument("--metrics-port", type=int, help="port for Prometheus metrics at /metrics")
    run.add_argument("--fetch-image", help="image of the fetcher, such as canarium-fetch")
    run.add_argument(
        "--fetch-image-pull-policy",
        default="IfNotPresent",
        choices=["Always", "IfNotPresent", "Never"],
        help="pull policy of the fetcher's image",
    )
    run.add_argument(
        "--oci-volumes",
        action="store_true",
        help="mount oci:// models as image volumes; the runtime of every node must support them",
    )
    run.add_argument(
        "--fetch-reserve",
        type=int,
        metavar="PERCENT",
        help="percentage of node disk to keep free (default 10, the kubelet's eviction threshold)",
    )
    run.add_argument(
        "--allow-address",
        action="append",
        metavar="CIDR|ADDRESS|HOST",
        help="address that checks may connect to although it is refused by default, such as a "
        "Prometheus on loopback; may be repeated",
    )
    run.add_argument(
        "--refuse-address",
        action="append",
        metavar="CIDR",
        help="addresses that checks may not connect to, in addition to loopback, link-local, "
        "multicast and metadata addresses; may be repeated",
    )
    run.add_argument("--log-level", default="INFO", help="DEBUG, INFO, WARNING or ERROR")
    fetching = commands.add_parser("fetch", help="download a model into a folder and verify it")
    fetch.arguments(fetching)
    recording = commands.add_parser("record", help="print what served and when, for audits")
    record.arguments(recording)
    arguments = parser.parse_args()
    if arguments.command == "record":
        return record.main(arguments)
    if arguments.command == "fetch":
        return fetch.main(arguments)
    try:
        settings = _settings(arguments)
    except ValueError as error:
        parser.error(str(error))
    return _run(settings, arguments.log_level)


def _run(settings: Config, log_level: str) -> int:
    """Runs the operator until it is stopped."""
    import kopf
    import uvloop

    from canarium.host.app import Application
    from canarium.host.handlers import register
    from canarium.telemetry import logs

    logs.configure(log_level)
    registry = kopf.OperatorRegistry()
    application = Application(settings)
    register(registry, application)
    everywhere = not (settings.namespaces or settings.namespace_selector)
    kopf.run(
        loop=uvloop.new_event_loop(),
        registry=registry,
        standalone=True,
        # kopf would look up the user's name, which the uid of a container does not have.
        identity=cast(Any, socket.gethostname()),
        clusterwide=everywhere,
        # A pattern selects nothing at first: the selected namespaces are passed to kopf later.
        namespaces=() if everywhere else settings.namespaces or (re.compile("selected"),),
        insights=application.insights,
    )
    return 1 if application.refusal else 0


def _address(text: str) -> tuple[str, int]:
    address, _, port = text.rpartition(":")
    return address.strip("[]"), int(port)


def _settings(arguments: argparse.Namespace) -> Config:
    names = {field.name for field in fields(Config)} - {"namespaces"}
    given = {name: value for name, value in vars(arguments).items() if name in names}
    for name in ("allow_address", "refuse_address"):
        given[name] = tuple(given[name] or ())
    AddressPolicy.of(given["allow_address"], given["refuse_address"])
    return Config(**given, namespaces=tuple(dict.fromkeys(arguments.namespace or ())))


if __name__ == "__main__":
    sys.exit(main())
