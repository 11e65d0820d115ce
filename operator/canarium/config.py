"""The configuration of one operator process, parsed from the command line by `__main__`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

_CLUSTER_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")
_PARAMETER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,62}")
_REGISTRY = re.compile(r"[A-Za-z0-9.-]+(:[0-9]+)?(/[a-z0-9._-]+)*")
#: Each leader watches everything: far fewer processes than this keep an API server busy.
_MOST_SHARDS = 64


@dataclass(frozen=True, slots=True)
class Config:
    """Times are in seconds. Without a kubeconfig, the in-cluster configuration is used.

    Raises ValueError for settings that exclude each other.
    """

    kubeconfig: str | None = None
    context: str | None = None
    #: Namespaces by name, or by a label selector; neither: all.
    namespaces: tuple[str, ...] = ()
    namespace_selector: str = ""
    #: Maximum writes in flight, while the API server throttles none.
    workers: int = 8
    #: Maximum writes per second, and the size of a burst.
    qps: float = 200.0
    burst: int = 400
    #: Shards of the managed namespaces, which several processes lead side by side; 1: one leads.
    shards: int = 1
    #: Namespace of the Lease; None: no leader election.
    lease_namespace: str | None = None
    #: When a silent leader is replaced, when a leader that cannot renew gives up, and the wait
    #: between two attempts.
    lease_duration: float = 15.0
    lease_renew: float = 10.0
    lease_retry: float = 2.0
    #: Address and port of `/healthz` and `/readyz`; address "": all addresses.
    health: tuple[str, int] | None = None
    #: Port of `/metrics`, on all addresses; None: not served.
    metrics_port: int | None = None
    #: Folder with `tls.crt` and `tls.key` for them; None: plain HTTP.
    metrics_certificate: Path | None = None
    #: Whether they include series of each model.
    metrics_per_model: bool = True
    #: The fetcher's image; None: only models inside server images are supported.
    fetch_image: str | None = None
    fetch_image_pull_policy: str = "IfNotPresent"
    #: Whether `oci://` models are mounted as image volumes, which every node has to support.
    oci_volumes: bool = False
    #: Percent of a node's disk that fetches keep free; None: the fetcher's default.
    fetch_reserve: int | None = None
    #: Resources of the fetcher's container; None: the default.
    fetch_resources: Mapping[str, Any] | None = None
    #: Fields of its security context that differ from the default; None: none.
    fetch_security_context: Mapping[str, Any] | None = None
    #: Names and values of the fetcher's environment, such as HTTPS_PROXY.
    fetch_env: tuple[tuple[str, str], ...] = ()
    #: Secrets in the namespaces of models that pull the fetcher's image.
    fetch_pull_secret: tuple[str, ...] = ()
    #: A ConfigMap in the namespaces of models, and its key, with certificate authorities.
    fetch_ca: tuple[str, str] | None = None
    #: Registry of the images of built-in runtimes; "": the registries that they name.
    runtime_image_registry: str = ""
    #: Whether the cluster assigns ids of users, so that built-in runtimes set none.
    assigned_user_ids: bool = False
    #: Whether the status keeps the transitions that `canarium notify` delivers.
    record_transitions: bool = False
    #: Whether decisions about gates count: an admission policy verifies who may give them.
    accept_approvals: bool = False
    #: Name of the cluster in the tags that `spec.model.writeBack` writes; "": none is written.
    cluster_name: str = ""
    #: CIDRs, addresses and hosts that checks may connect to although they are denied by default.
    allow_address: tuple[str, ...] = ()
    #: CIDRs that no check may connect to, besides those denied by default.
    refuse_address: tuple[str, ...] = ()
    #: Providers and hosts at which checks may use the operator's own identity.
    allow_identity: tuple[tuple[str, str], ...] = ()

    #: Prometheus of checks that name none; "": they have to. The folder has its credentials, as a
    #: mounted Secret.
    prometheus_url: str = ""
    prometheus_credentials: str | None = None
    #: The identity of the operator's pod instead: a cloud, and the region and service of AWS.
    prometheus_identity: tuple[str, str, str] | None = None
    prometheus_timeout: float = 10.0
    #: Parameter of each query with the namespace of the model, with which a proxy restricts it, or
    #: whether checks of every namespace may read all series.
    prometheus_namespace_parameter: str = ""
    prometheus_all_namespaces: bool = False

    def __post_init__(self) -> None:
        if self.namespaces and self.namespace_selector:
            raise ValueError("--namespace and --namespace-selector exclude each other")
        if self.cluster_name and not _CLUSTER_NAME.fullmatch(self.cluster_name):
            raise ValueError(
                f"--cluster-name {self.cluster_name!r} must be 1 to 63 letters, digits, '-', '_' "
                "or '.', beginning and ending with a letter or digit"
            )
        if self.runtime_image_registry and not _REGISTRY.fullmatch(self.runtime_image_registry):
            raise ValueError(
                f"--runtime-image-registry {self.runtime_image_registry!r} must be a host with an "
                "optional port and path, such as registry.acme.test:5000/mirror"
            )
        if not 0 <= (self.fetch_reserve or 0) < 100:
            raise ValueError("--fetch-reserve must be at least 0 and below 100")
        if self.workers < 1:
            raise ValueError("--workers must be at least 1")
        if self.qps <= 0 or self.burst < 1:
            raise ValueError("--qps must be above 0 and --burst at least 1")
        if not 1 <= self.shards <= _MOST_SHARDS:
            raise ValueError(f"--shards must be at least 1 and at most {_MOST_SHARDS}")
        if self.shards > 1 and not self.lease_namespace:
            raise ValueError("--shards requires --lease-namespace, where the leaders agree on them")
        check_lease_times(self.lease_duration, self.lease_renew, self.lease_retry)
        self._check_prometheus()

    def _check_prometheus(self) -> None:
        """Raises ValueError for a default Prometheus that cannot be queried, or whose series would
        be readable by every namespace without a decision about that."""
        if not self.prometheus_url:
            options = (self.prometheus_credentials, self.prometheus_identity)
            if any(options) or self.prometheus_namespace_parameter:
                raise ValueError("the options of the default Prometheus require --prometheus-url")
            return
        try:
            parts = urlsplit(self.prometheus_url)
            is_valid = parts.scheme in ("http", "https") and bool(parts.hostname)
        except ValueError:
            is_valid = False
        if not is_valid or "@" in parts.netloc or parts.query or parts.fragment:
            raise ValueError(
                "--prometheus-url must be http:// or https:// with a host and an optional path, "
                "without credentials and parameters"
            )
        if self.prometheus_identity and (self.prometheus_credentials or parts.scheme != "https"):
            raise ValueError(
                "--prometheus-identity requires a --prometheus-url of https://, and excludes "
                "--prometheus-credentials"
            )
        if self.prometheus_timeout <= 0:
            raise ValueError("--prometheus-timeout must be above 0")
        name = self.prometheus_namespace_parameter
        if name and (not _PARAMETER.fullmatch(name) or name in ("query", "time", "timeout")):
            raise ValueError(
                f"--prometheus-namespace-parameter {name!r} must be the name of a parameter, such "
                "as namespace"
            )
        if bool(name) == self.prometheus_all_namespaces:
            raise ValueError(
                "--prometheus-url requires either --prometheus-namespace-parameter, with a proxy "
                "that restricts queries by it, or --prometheus-all-namespaces: checks of every "
                "namespace then read all series with the credentials of the operator"
            )


def check_lease_times(duration: float, renew: float, retry: float) -> None:
    """Raises ValueError for times with which two processes could lead at once."""
    if not 0 < retry < renew < duration:
        raise ValueError(
            "--lease-retry must be below --lease-renew, and that below --lease-duration"
        )
