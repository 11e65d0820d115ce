"""The command `canarium notify`. Its libraries are imported when it runs: the fetcher's image has
none of them (decision 0007)."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from canarium.config import check_lease_times
from canarium.options import add_lease_times, add_logging, add_metrics, address


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of `canarium notify`."""
    parser.add_argument("--config", type=Path, required=True, help="file with the sinks")
    parser.add_argument(
        "--secrets",
        type=Path,
        default=Path("/etc/canarium/secrets"),
        help="folder with the Secrets that the file names, as <Secret>/<key>",
    )
    parser.add_argument(
        "--check", action="store_true", help="check the file and its templates, and exit"
    )
    parser.add_argument("--kubeconfig", help="default: in-cluster config")
    parser.add_argument("--context", help="kubeconfig context; default: the current context")
    parser.add_argument(
        "--namespace",
        action="append",
        metavar="NAME",
        help="namespace whose models to watch; may be repeated; default: all namespaces",
    )
    parser.add_argument(
        "--lease-namespace",
        help="namespace of the Lease and of the ConfigMaps with what was delivered; required "
        "without --check",
    )
    add_lease_times(parser)
    parser.add_argument(
        "--health", type=address, metavar="[ADDRESS]:PORT", help="serve /healthz and /readyz here"
    )
    add_metrics(parser)
    add_logging(parser)


def main(options: argparse.Namespace) -> int:
    """Runs the command; returns the exit code: 2 for a file that cannot be used."""
    try:
        from canarium.notifier import process, settings
        from canarium.telemetry import logs
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("canarium"):
            raise
        return _fail(
            f"the package {error.name} is not installed. Install what the notifier needs: "
            "pip install 'canarium[operator,notifier]'"
        )
    logs.configure(options.log_level, options.log_format)
    try:
        loaded = settings.load(options.config)
        process.check(loaded, options.secrets)
    except settings.SettingsInvalid as error:
        return _fail(str(error))
    if options.check:
        return 0
    if not options.lease_namespace:
        return _fail("--lease-namespace is required")
    lease_times = (options.lease_duration, options.lease_renew, options.lease_retry)
    try:
        check_lease_times(*lease_times)
    except ValueError as error:
        return _fail(str(error))
    return process.run(
        process.Options(
            settings=loaded,
            namespace=options.lease_namespace,
            lease_times=lease_times,
            secrets=options.secrets,
            kubeconfig=options.kubeconfig,
            context=options.context,
            watched=tuple(dict.fromkeys(options.namespace or ())),
            health=options.health,
            metrics_port=options.metrics_port,
            metrics_certificate=options.metrics_certificate,
        )
    )


def _fail(text: str) -> int:
    print(f"canarium notify: {text}", file=sys.stderr)
    return 2
