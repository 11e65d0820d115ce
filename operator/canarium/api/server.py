"""How a model server is started, probed and measured: shared by runtimes and models.

A `ModelRuntime` defines it once for many models; `spec.runtime` of a `ModelDeployment` defines it
for one, alone or as overrides of a runtime.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from canarium.api.base import NAMED, Duration, OpenObject, Part, Port, ruled

#: The container of the model server in every pod template. All others are sidecars.
SERVER_CONTAINER = "server"
#: The init container that downloads the model.
FETCH_CONTAINER = "fetch"
Text = Annotated[str, Field(max_length=4096)]
Protocol = Literal["V1", "V2", "OpenAI", "Other"]


class EnvVar(Part):
    """An environment variable of the server."""

    name: str = Field(max_length=256, min_length=1, description="Name of the variable.")
    value: Text | None = Field(None, description="Value of the variable.")
    value_from: OpenObject | None = Field(
        None,
        description="Source of the value: configMapKeyRef, secretKeyRef, fieldRef or "
        "resourceFieldRef, as in a container.",
    )


class ExtraPort(Part):
    """An additional port of the server."""

    name: str = Field(
        max_length=15,
        pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
        description="Name of the port, such as grpc or metrics. http is reserved for `port`.",
    )
    port: Port = Field(description="Number of the port.")


class Probe(Part):
    """A probe of the model. Exactly one of path, exec, grpc and tcp."""

    model_config = ConfigDict(
        json_schema_extra=ruled(
            (
                "(has(self.path) ? 1 : 0) + (has(self.exec) ? 1 : 0) + (has(self.grpc) ? 1 : 0) "
                "+ (has(self.tcp) ? 1 : 0) == 1",
                "set exactly one of path, exec, grpc and tcp: path is an HTTP path that returns"
                " 200 when the model, not only the server, is ready",
                ".path",
            ),
            ("!has(self.tcp) || self.tcp", "tcp must be true or absent", ".tcp"),
        )
    )

    path: str | None = Field(
        None,
        max_length=1024,
        pattern=r"^/",
        description="HTTP path that returns 200 when the model, not only the server, is ready.",
    )
    exec: list[Text] | None = Field(
        None,
        max_length=32,
        min_length=1,
        description="Command in the container that exits with 0 when the model is ready.",
    )
    grpc: str | None = Field(
        None,
        max_length=253,
        description="Service of the gRPC health protocol, at `port`. Empty: the server as a whole.",
    )
    tcp: bool | None = Field(
        None,
        description="Checks only that the port is open, which does not show that the model is "
        "ready: most servers open it long before the model is loaded.",
    )
    port: Port | None = Field(None, description="Port to probe. Default: the server's port.")
    period_seconds: int | None = Field(
        None, ge=1, le=300, description="Seconds between two probes. Default: 5."
    )
    timeout_seconds: int | None = Field(
        None, ge=1, le=300, description="Timeout of a probe in seconds. Default: 1."
    )
    failure_threshold: int | None = Field(
        None, ge=1, le=10_000, description="Number of consecutive failures. Default: 3."
    )


class Series(Part):
    """Counters of the server, summed over all series that match."""

    model_config = ConfigDict(
        json_schema_extra=ruled(
            (
                "has(self.names) != (has(self.unavailable) && self.unavailable)",
                "set names of metrics, or unavailable: true",
                ".names",
            )
        )
    )

    names: list[Annotated[str, Field(max_length=256)]] | None = Field(
        None, max_length=8, min_length=1, description="Names of the metrics, summed."
    )
    labels: dict[str, Annotated[str, Field(max_length=256)]] | None = Field(
        None,
        max_length=8,
        description="Only series whose labels match these regular expressions completely: for "
        "example http_response_code: 5..",
    )
    unavailable: bool | None = Field(None, description="Whether the server does not measure this.")


class Latency(Part):
    """The metric for the duration of requests."""

    model_config = ConfigDict(
        json_schema_extra=ruled(
            (
                "has(self.name) != (has(self.unavailable) && self.unavailable)",
                "set the name of the metric, or unavailable: true",
                ".name",
            )
        )
    )

    name: str | None = Field(
        None, max_length=256, description="Name of the metric, without _bucket, _sum or _count."
    )
    kind: Literal["Histogram", "Summary", "Total"] | None = Field(
        None,
        description="Histogram (default): with buckets, so percentiles are available. Summary: "
        "sum and count, so only the mean is. Total: one counter of the time spent.",
    )
    unit: Literal["Seconds", "Milliseconds", "Microseconds"] | None = Field(
        None, description="Unit of the metric. Default: Seconds."
    )
    labels: dict[str, Annotated[str, Field(max_length=256)]] | None = Field(
        None,
        max_length=8,
        description="Only series whose labels match these regular expressions completely.",
    )
    unavailable: bool | None = Field(None, description="Whether the server does not measure this.")


class Metrics(Part):
    """Names of the server's metrics, in the Prometheus text format."""

    port: Port | None = Field(None, description="Port to scrape. Default: the server's port.")
    path: str | None = Field(
        None, max_length=1024, pattern=r"^/", description="Path to scrape. Default: /metrics."
    )
    requests: Series | None = Field(None, description="Number of requests, successful or not.")
    errors: Series | None = Field(None, description="Number of failed requests.")
    latency: Latency | None = Field(None, description="Duration of requests.")


class Server(Part):
    """The container of the server and how to probe and measure it. All fields are optional."""

    image: str | None = Field(None, max_length=512, description="Image of the server.")
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] | None = Field(
        None, description="Image pull policy, as in a container. Default: that of Kubernetes."
    )
    command: list[Text] | None = Field(
        None, max_length=64, description="Replaces the image's entrypoint."
    )
    args: list[Text] | None = Field(
        None, max_length=64, description="Arguments of the entrypoint or command."
    )
    env: list[EnvVar] | None = Field(
        None,
        max_length=128,
        description="Environment of the server, as in a container. Merged by name.",
        json_schema_extra=NAMED,
    )
    port: Port | None = Field(
        None, description="Port of the server for requests, named http. Default: 8080."
    )
    ports: list[ExtraPort] | None = Field(
        None,
        max_length=8,
        description="Additional ports, such as grpc or metrics.",
        json_schema_extra=NAMED,
    )
    readiness: Probe | None = Field(
        None,
        description="Decides whether a pod receives requests. It must probe the model, not only "
        "the server.",
    )
    startup: Probe | None = Field(
        None,
        description="Probe while the model is loading. Default: the readiness probe, if there is "
        "a liveness probe or a startupBudget.",
    )
    liveness: Probe | None = Field(
        None,
        description="Restarts the container when it fails, once the server has started. Default: "
        "none.",
    )
    startup_budget: Duration | None = Field(
        None,
        description="How long loading the model may take, such as 30m, before the container is "
        "restarted. It extends the default of rollout.progressDeadline.",
    )
    metrics: Metrics | None = Field(None, description="Metrics that the server exposes.")
    predict_path: str | None = Field(
        None,
        max_length=1024,
        pattern=r"^/",
        description="Path for predictions, used by smoke tests and shown to people.",
    )
    protocol: Protocol | None = Field(
        None,
        description="Protocol of the server: V1 (TensorFlow Serving), V2 (Open Inference), "
        "OpenAI, or Other.",
    )
    shared_memory: str | None = Field(
        None,
        max_length=32,
        pattern=r"^[0-9]+(\.[0-9]+)?(Ki|Mi|Gi|Ti|k|M|G|T)?$",
        description="Size of a memory-backed /dev/shm, such as 2Gi, for servers whose processes "
        "share memory. It counts against the memory limit.",
    )
