"""The program of the images: `canarium run` runs the operator, `canarium notify` delivers
notifications, and `canarium fetch` downloads a model into a pod. People use `kubectl modeldeploy`.

Operator and fetcher run in two images whose libraries exclude each other (decision 0007), so each
command imports its libraries only when it runs.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import fields

from canarium import VERSION
from canarium.config import Config
from canarium.fetch import cli as fetch
from canarium.kube.lazy_client import defer_unused_parts
from canarium.notifier import cli as notifier
from canarium.options import (
    add_lease_times,
    add_logging,
    add_metrics,
    address,
    config_map_key,
    duration,
    identity,
    identity_host,
    resources,
    security_context,
    variable,
)
from canarium.signals.addresses import AddressPolicy

_DEFAULT = Config()


def main() -> int:
    """Runs the command that the arguments name; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="canarium", description="Canarium ships model versions safely on Kubernetes."
    )
    parser.add_argument("--version", action="version", version=VERSION)
    commands = parser.add_subparsers(dest="command", required=True)
    _add_run(commands.add_parser("run", help="run the operator"))
    notify = commands.add_parser("notify", help="deliver notifications about rollouts")
    notifier.arguments(notify)
    fetch.arguments(commands.add_parser("fetch", help="download a model and verify its digest"))
    arguments = parser.parse_args()
    if arguments.command == "fetch":
        return fetch.main(arguments)
    defer_unused_parts()
    if arguments.command == "notify":
        return notifier.main(arguments)
    try:
        config = _config(arguments)
    except ValueError as error:
        parser.error(str(error))
    try:
        from canarium.host.process import run_operator
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("canarium"):
            raise
        print(
            f"canarium run: the package {error.name} is not installed. Install what the operator "
            "needs: pip install 'canarium[operator]'",
            file=sys.stderr,
        )
        return 2

    return run_operator(config, arguments.log_level, arguments.log_format)


def _add_run(run: argparse.ArgumentParser) -> None:
    run.add_argument("--kubeconfig", help="default: in-cluster config")
    run.add_argument("--context", help="kubeconfig context; default: the current context")
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
        help="manage the namespaces that match this label selector, such as models=yes",
    )
    run.add_argument(
        "--health",
        type=address,
        metavar="[ADDRESS]:PORT",
        help="serve /healthz (liveness) and /readyz (readiness) here; without an address, on all "
        "IPv4 and IPv6 addresses",
    )
    add_metrics(run)
    run.add_argument(
        "--metrics-per-model",
        action=argparse.BooleanOptionalAction,
        default=_DEFAULT.metrics_per_model,
        help="include series of each model in the metrics: 12 to 19, and 5 per check of a rollout",
    )
    run.add_argument(
        "--record-transitions",
        action="store_true",
        help="keep the last transitions of each model in its status, for `canarium notify`",
    )
    run.add_argument(
        "--accept-approvals",
        action="store_true",
        help="let the commands approve and reject count; requires the admission policy of the "
        "chart, which verifies that RBAC permits them",
    )
    add_logging(run)
    run.add_argument(
        "--cluster-name",
        default="",
        metavar="NAME",
        help="name of this cluster in the tags that spec.model.writeBack writes to a registry; "
        "default: none, and no tag is written",
    )
    _add_limits(run)
    _add_fetching(run)
    _add_runtimes(run)
    _add_addresses(run)
    _add_prometheus(run)
    _add_identities(run)


def _add_limits(run: argparse.ArgumentParser) -> None:
    """Adds the options for concurrency and leader election."""
    run.add_argument(
        "--workers",
        type=int,
        default=_DEFAULT.workers,
        help="maximum concurrent API writes; four times as many reconciles run concurrently",
    )
    run.add_argument(
        "--qps", type=float, default=_DEFAULT.qps, help="maximum API writes per second"
    )
    run.add_argument(
        "--burst", type=int, default=_DEFAULT.burst, help="maximum burst of API writes"
    )
    run.add_argument("--lease-namespace", help="elect a leader through a Lease in this namespace")
    run.add_argument(
        "--shards",
        type=int,
        default=_DEFAULT.shards,
        metavar="NUMBER",
        help="divide the namespaces into so many shards, by a hash of their names, and lead them "
        "together with the other processes of the Lease; default: 1, one process leads all",
    )
    add_lease_times(run)


def _add_fetching(run: argparse.ArgumentParser) -> None:
    run.add_argument(
        "--fetch-image", help="image of the init container that fetches models: canarium-fetch"
    )
    run.add_argument(
        "--fetch-image-pull-policy",
        default="IfNotPresent",
        choices=["Always", "IfNotPresent", "Never"],
    )
    run.add_argument(
        "--oci-volumes",
        action="store_true",
        help="mount oci:// models as image volumes; every node's container runtime must support "
        "them",
    )
    run.add_argument(
        "--fetch-reserve",
        type=int,
        metavar="PERCENT",
        help="percentage of node disk to keep free; default: 10, the kubelet's eviction threshold",
    )
    run.add_argument(
        "--fetch-resources",
        type=resources,
        metavar="JSON",
        help='resources of the fetcher\'s container, such as {"limits": {"memory": "2Gi"}}; '
        "default: 100m CPU and 128Mi requested, at most 512Mi",
    )
    run.add_argument(
        "--fetch-security-context",
        type=security_context,
        metavar="JSON",
        help="fields of the fetcher's security context that differ from the default, such as "
        '{"runAsUser": 1000}',
    )
    run.add_argument(
        "--fetch-env",
        type=variable,
        action="append",
        metavar="NAME=VALUE",
        help="environment variable of the fetcher, such as HTTPS_PROXY; may be repeated",
    )
    run.add_argument(
        "--fetch-pull-secret",
        action="append",
        metavar="NAME",
        help="Secret in each namespace of models that pulls the fetcher's image; may be repeated",
    )
    run.add_argument(
        "--fetch-ca",
        type=config_map_key,
        metavar="CONFIGMAP[/KEY]",
        help="ConfigMap in the namespace of each model with certificate authorities that the "
        "fetcher trusts as well; default of the key: ca.crt",
    )


def _add_runtimes(run: argparse.ArgumentParser) -> None:
    """Adds the options that adapt the built-in runtimes to the cluster."""
    run.add_argument(
        "--runtime-image-registry",
        default="",
        metavar="REGISTRY",
        help="registry that replaces the one of the images of built-in runtimes, such as "
        "registry.acme.test/mirror; default: the registries that they name",
    )
    run.add_argument(
        "--assigned-user-ids",
        action="store_true",
        help="built-in runtimes set no ids of users and groups, because the cluster assigns them, "
        "as OpenShift does",
    )


def _add_addresses(run: argparse.ArgumentParser) -> None:
    """Adds the options that limit where checks of users may connect to."""
    run.add_argument(
        "--allow-address",
        action="append",
        metavar="CIDR|ADDRESS|HOST",
        help="let checks connect to this destination although it is denied by default, such as a "
        "Prometheus on loopback; may be repeated",
    )
    run.add_argument(
        "--refuse-address",
        action="append",
        metavar="CIDR",
        help="do not let checks connect to this network, in addition to loopback, link-local, "
        "multicast and metadata addresses; may be repeated",
    )


def _add_identities(run: argparse.ArgumentParser) -> None:
    run.add_argument(
        "--allow-identity",
        type=identity_host,
        action="append",
        metavar="PROVIDER=HOST",
        help="let checks of all models use the identity of the operator's pod at AWS, Azure or "
        "Google for requests to this host; may be repeated",
    )


def _add_prometheus(run: argparse.ArgumentParser) -> None:
    """Adds the options of the Prometheus for checks that name none."""
    run.add_argument(
        "--prometheus-url",
        default="",
        metavar="URL",
        help="Prometheus of checks that set no prometheus.url; default: none",
    )
    run.add_argument(
        "--prometheus-credentials",
        metavar="FOLDER",
        help="folder with the credentials for it, such as a mounted Secret: the file token, or "
        "username and password; ca.crt for a private authority. They are sent to no other URL",
    )
    run.add_argument(
        "--prometheus-identity",
        type=identity,
        metavar="Azure|Google|AWS:REGION:SERVICE",
        help="query it with the identity of the operator's pod at a cloud, instead of credentials; "
        "for example AWS:eu-central-1:aps",
    )
    run.add_argument(
        "--prometheus-timeout",
        type=duration,
        default=_DEFAULT.prometheus_timeout,
        metavar="DURATION",
        help="timeout of its requests, unless a check sets one; default: 10s",
    )
    run.add_argument(
        "--prometheus-namespace-parameter",
        default="",
        metavar="NAME",
        help="parameter of each query with the namespace of the model, with which a proxy such as "
        "prom-label-proxy restricts the query; for example namespace",
    )
    run.add_argument(
        "--prometheus-all-namespaces",
        action="store_true",
        help="let checks of every namespace read all its series, instead of a parameter",
    )


def _config(arguments: argparse.Namespace) -> Config:
    names = {field.name for field in fields(Config)} - {"namespaces"}
    values = {name: value for name, value in vars(arguments).items() if name in names}
    lists = ("allow_address", "refuse_address", "allow_identity", "fetch_env", "fetch_pull_secret")
    for name in lists:
        values[name] = tuple(values[name] or ())
    AddressPolicy.of(values["allow_address"], values["refuse_address"])
    return Config(**values, namespaces=tuple(dict.fromkeys(arguments.namespace or ())))


if __name__ == "__main__":
    sys.exit(main())
