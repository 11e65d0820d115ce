"""The settings of one operator process; `__main__` makes them of the command line."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Config:
    """Without a kubeconfig, the cluster around the process is used. Times are seconds.

    Raises ValueError for settings that exclude each other.
    """

    kubeconfig: str | None = None
    context: str | None = None
    #: Namespaces by name, or by a label selector; neither: all.
    namespaces: tuple[str, ...] = ()
    namespace_selector: str = ""
    #: Writes in flight while the API server refuses none.
    workers: int = 8
    #: Writes per second, and how many may come at once after a quiet time.
    qps: float = 200.0
    burst: int = 400
    #: Where the Lease is kept; None: no other operator may run.
    lease_namespace: str | None = None
    #: After how long a silent leader is replaced, gives up by itself, and tries again.
    lease_duration: float = 15.0
    lease_renew: float = 10.0
    lease_retry: float = 2.0
    #: Where `/healthz` and `/readyz` are served, as (address, port); "": on all addresses.
    health: tuple[str, int] | None = None
    #: Where `/metrics` is served, on all addresses; None: nowhere.
    metrics_port: int | None = None
    #: The image that fetches models; None: only models inside servers' images are served.
    fetch_image: str | None = None
    fetch_image_pull_policy: str = "IfNotPresent"
    #: Whether `oci://` is mounted as an image volume; every node's runtime must be able to.
    oci_volumes: bool = False
    #: Percent of a node's disk that fetches leave free; None: as the fetcher does by itself.
    fetch_reserve: int | None = None

    #: CIDRs, addresses and hosts that checks may name although they are refused by default.
    allow_address: tuple[str, ...] = ()
    #: CIDRs that no check may name, besides those refused by default.
    refuse_address: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.namespaces and self.namespace_selector:
            raise ValueError("--namespace and --namespace-selector exclude each other")
        if not 0 <= (self.fetch_reserve or 0) < 100:
            raise ValueError("--fetch-reserve must be at least 0 and below 100")
        if self.workers < 1:
            raise ValueError("--workers must be at least 1")
        if self.qps <= 0 or self.burst < 1:
            raise ValueError("--qps must be above 0 and --burst at least 1")
        if not 0 < self.lease_retry < self.lease_renew < self.lease_duration:
            raise ValueError(
                "--lease-retry must be below --lease-renew, that below --lease-duration"
            )
