"""The command line: `canarium run` is the operator, `canarium fetch` brings a model to a pod.

The two live in two images whose libraries exclude each other (decision 0007), so each imports
its own only when it is asked for.
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
    """Does what the command line says; the exit code."""
    parser = argparse.ArgumentParser(prog="canarium", description=__doc__)
    parser.add_argument("--version", action="version", version=VERSION)
    default = Config()
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="run the operator")
    run.add_argument("--kubeconfig", help="default: the cluster around this process")
    run.add_argument("--context")
    where = run.add_mutually_exclusive_group()
    where.add_argument(
        "--namespace",
        action="append",
        metavar="NAME",
        help="a namespace to look after; may be repeated; default: all",
    )
    where.add_argument(
        "--namespace-selector",
        default="",
        metavar="LABELS",
        help="look after the namespaces with these labels, such as models=yes",
    )
    run.add_argument(
        "--workers",
        type=int,
        default=default.workers,
        help="writes in flight while the API server refuses none; four times as many models are"
        " worked on at once",
    )
    run.add_argument("--qps", type=float, default=default.qps, help="most writes per second")
    run.add_argument("--burst", type=int, default=default.burst, help="most writes at once")
    run.add_argument("--lease-namespace", help="elect a leader by a Lease in this namespace")
    for name, meaning in (
        ("duration", "seconds until a silent leader is replaced"),
        ("renew", "seconds until a leader that cannot renew gives up"),
        ("retry", "seconds between two attempts"),
    ):
        usual = getattr(default, f"lease_{name}")
        run.add_argument(f"--lease-{name}", type=float, default=usual, help=meaning)
    run.add_argument(
        "--health",
        type=_address,
        metavar="[ADDRESS]:PORT",
        help="serve /healthz (liveness) and /readyz (readiness) there; without an address, on all "
        "addresses of IPv4 and IPv6",
    )
    run.add_argument("--metrics-port", type=int, help="serve Prometheus metrics at :PORT/metrics")
    run.add_argument("--fetch-image", help="the image that fetches models: canarium-fetch")
    run.add_argument(
        "--fetch-image-pull-policy",
        default="IfNotPresent",
        choices=["Always", "IfNotPresent", "Never"],
    )
    run.add_argument(
        "--oci-volumes",
        action="store_true",
        help="mount oci:// models as image volumes, where every node's runtime can",
    )
    run.add_argument(
        "--fetch-reserve",
        type=int,
        metavar="PERCENT",
        help="of a node's disk, left free by fetches; default 10, as the kubelet's own bound",
    )
    run.add_argument(
        "--allow-address",
        action="append",
        metavar="CIDR|ADDRESS|HOST",
        help="let checks of users connect there although it is refused by default, such as a "
        "Prometheus on loopback; may be repeated",
    )
    run.add_argument(
        "--refuse-address",
        action="append",
        metavar="CIDR",
        help="refuse checks of users that connect there, besides loopback, link-local, multicast "
        "and metadata addresses; may be repeated",
    )
    run.add_argument("--log-level", default="INFO")
    fetching = commands.add_parser("fetch", help="bring a model to a folder and check it")
    fetch.arguments(fetching)
    recording = commands.add_parser("record", help="print what served, for audits")
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
    """Runs the operator until it is told to stop."""
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
        # kopf would ask for the user's name, which a container's uid does not have.
        identity=cast(Any, socket.gethostname()),
        clusterwide=everywhere,
        # A pattern is no name to begin with: the selected namespaces are told to kopf later.
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
