"""The command line: `canarium run` is the operator, `canarium fetch` brings a model to a pod.

The two live in two images whose libraries exclude each other (decision 0010), so each imports
its own only when it is asked for.
"""

from __future__ import annotations

import argparse
import logging
import os
import socket
import sys
from typing import Any, cast

from canarium import VERSION
from canarium.fetch import command as fetch


def main() -> int:
    """Does what the command line says; the exit code."""
    parser = argparse.ArgumentParser(prog="canarium", description=__doc__)
    parser.add_argument("--version", action="version", version=VERSION)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="run the operator")
    run.add_argument("--kubeconfig", help="default: the cluster around this process")
    run.add_argument("--context")
    run.add_argument("--namespace", help="one namespace; default: all")
    run.add_argument("--liveness", metavar="URL", help="such as http://0.0.0.0:8080/healthz")
    run.add_argument("--lease-namespace", help="elect a leader by a Lease in this namespace")
    run.add_argument("--metrics-port", type=int, help="serve Prometheus metrics at :PORT/metrics")
    run.add_argument("--log-level", default="INFO")
    fetching = commands.add_parser("fetch", help="bring a model to a folder and check it")
    fetch.arguments(fetching)
    arguments = parser.parse_args()
    return fetch.main(arguments) if arguments.command == "fetch" else _run(arguments)


def _run(arguments: argparse.Namespace) -> int:
    """Runs the operator until it is told to stop."""
    import kopf

    from canarium.app import Application, Settings
    from canarium.handlers import register

    logging.basicConfig(
        level=arguments.log_level, format="%(asctime)s %(levelname)-7s %(name)s %(message)s"
    )
    for chatty in ("kopf", "aiohttp.access"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    if arguments.kubeconfig:
        os.environ["KUBECONFIG"] = arguments.kubeconfig
    settings = Settings(
        kubeconfig=arguments.kubeconfig,
        context=arguments.context,
        namespace=arguments.namespace,
        lease_namespace=arguments.lease_namespace,
        metrics_port=arguments.metrics_port,
    )
    registry = kopf.OperatorRegistry()
    register(registry, Application(settings))
    kopf.run(
        registry=registry,
        standalone=True,
        # kopf would ask for the user's name, which a container's uid does not have.
        identity=cast(Any, socket.gethostname()),
        clusterwide=not arguments.namespace,
        namespaces=[arguments.namespace] if arguments.namespace else [],
        liveness_endpoint=arguments.liveness,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
