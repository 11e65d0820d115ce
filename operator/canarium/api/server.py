"""How a model server is started, probed, measured and asked: shared by runtimes and models.

A `ModelRuntime` says it once for many models; `spec.runtime` of a `ModelDeployment` says it for
one, alone or over a runtime that it names.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from canarium.api.base import NAMED, Duration, OpenObject, Part, Port

#: The container of the model server in every pod template: a sidecar is none, whatever it does.
SERVER_CONTAINER = "server"
#: The port that answers requests, by default.
SERVER_PORT = 8080
Text = Annotated[str, Field(max_length=4096)]
Protocol = Literal["V1", "V2", "OpenAI", "Other"]


def _rule(rule: str, message: str, field: str) -> dict[str, Any]:
    return {"rule": rule, "message": message, "fieldPath": field}


def _ruled(*rules: dict[str, Any]) -> ConfigDict:
    return ConfigDict(json_schema_extra={"x-kubernetes-validations": list(rules)})


class EnvVar(Part):
    """An environment variable of the server."""

    name: str = Field(max_length=256, min_length=1, description="Name of the variable.")
    value: Text | None = Field(None, description="Its value.")
    value_from: OpenObject | None = Field(
        None,
        description="Where the value comes from instead: configMapKeyRef, secretKeyRef, fieldRef "
        "or resourceFieldRef, as in a container.",
    )


class ExtraPort(Part):
    """A port of the server besides the one that answers requests."""

    name: str = Field(
        max_length=15,
        pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
        description="Name of the port, such as grpc or metrics; http is taken by `port`.",
    )
    port: Port = Field(description="Its number.")


class Probe(Part):
    """How to ask the server about the model. Exactly one of path, exec, grpc and tcp."""

    model_config = _ruled(
        _rule(
            "(has(self.path) ? 1 : 0) + (has(self.exec) ? 1 : 0) + (has(self.grpc) ? 1 : 0) "
            "+ (has(self.tcp) ? 1 : 0) == 1",
            "set exactly one of path, exec, grpc and tcp: path is an HTTP path that answers 200 "
            "when the model, not only the server, is ready",
            ".path",
        ),
        _rule("!has(self.tcp) || self.tcp", "tcp is true or absent", ".tcp"),
    )

    path: str | None = Field(
        None,
        max_length=1024,
        pattern=r"^/",
        description="An HTTP path that answers 200 when the model, not only the server, is ready.",
    )
    exec: list[Text] | None = Field(
        None,
        max_length=32,
        min_length=1,
        description="A command inside the container that exits with 0 when the model is ready.",
    )
    grpc: str | None = Field(
        None,
        max_length=253,
        description="A service of the gRPC health protocol, asked at `port`; empty for the "
        "server as a whole.",
    )
    tcp: bool | None = Field(
        None,
        description="Only that the port is open. It says nothing about the model: most servers "
        "open it long before the model is loaded.",
    )
    port: Port | None = Field(None, description="The port to ask; default: the server's port.")
    period_seconds: int | None = Field(
        None, ge=1, le=300, description="Seconds between two questions; default 5."
    )
    timeout_seconds: int | None = Field(
        None, ge=1, le=300, description="Seconds that an answer may take; default 1."
    )
    failure_threshold: int | None = Field(
        None, ge=1, le=10_000, description="Failures in a row that count; default 3."
    )


class Series(Part):
    """Counters of the server, summed over all series that match."""

    model_config = _ruled(
        _rule(
            "has(self.names) != (has(self.unavailable) && self.unavailable)",
            "name the metrics, or say unavailable: true",
            ".names",
        )
    )

    names: list[Annotated[str, Field(max_length=256)]] | None = Field(
        None, max_length=8, min_length=1, description="Names of the metrics, summed."
    )
    labels: dict[str, Annotated[str, Field(max_length=256)]] | None = Field(
        None,
        max_length=8,
        description="Only series whose label matches the regular expression, whole: "
        "for example http_response_code: 5..",
    )
    unavailable: bool | None = Field(None, description="The server does not measure this.")


class Latency(Part):
    """Where the server tells how long requests took."""

    model_config = _ruled(
        _rule(
            "has(self.name) != (has(self.unavailable) && self.unavailable)",
            "name the metric, or say unavailable: true",
            ".name",
        )
    )

    name: str | None = Field(
        None, max_length=256, description="Name of the metric, without _bucket, _sum or _count."
    )
    kind: Literal["Histogram", "Summary", "Total"] | None = Field(
        None,
        description="Histogram: with buckets, so percentiles can be had. Summary: sum and count, "
        "so only the mean. Total: one counter of all time spent. Default Histogram.",
    )
    unit: Literal["Seconds", "Milliseconds", "Microseconds"] | None = Field(
        None, description="Default Seconds."
    )
    labels: dict[str, Annotated[str, Field(max_length=256)]] | None = Field(
        None, max_length=8, description="As for counters."
    )
    unavailable: bool | None = Field(None, description="The server does not measure this.")


class Metrics(Part):
    """The server's own names for what is measured, in Prometheus' text format."""

    port: Port | None = Field(None, description="Port to scrape; default: the server's port.")
    path: str | None = Field(
        None, max_length=1024, pattern=r"^/", description="Path to scrape; default /metrics."
    )
    requests: Series | None = Field(None, description="Requests answered, well or badly.")
    errors: Series | None = Field(None, description="Requests that failed.")
    latency: Latency | None = Field(None, description="Time that requests took.")


class Server(Part):
    """The server's container and how to deal with it. All fields may be absent."""

    image: str | None = Field(None, max_length=512, description="The server's image.")
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] | None = Field(
        None, description="As in a container; default as Kubernetes has it."
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
        description="Environment of the server, as in a container; laid over by name.",
        json_schema_extra=NAMED,
    )
    port: Port | None = Field(
        None, description="The port that answers requests; default 8080. Its name is http."
    )
    ports: list[ExtraPort] | None = Field(
        None,
        max_length=8,
        description="Further ports, such as grpc or metrics.",
        json_schema_extra=NAMED,
    )
    readiness: Probe | None = Field(
        None,
        description="Decides whether a pod gets requests: ask about the model, not the server.",
    )
    startup: Probe | None = Field(
        None,
        description="Asked while the model loads; default: the readiness probe, where there is "
        "a liveness probe or a startupBudget.",
    )
    liveness: Probe | None = Field(
        None,
        description="Restarts the container when it fails; only asked once started up. "
        "Absent: never restarted for that.",
    )
    startup_budget: Duration | None = Field(
        None,
        description="How long loading the model may take, such as 30m; then the container is "
        "restarted. It lengthens the default of rollout.progressDeadline.",
    )
    metrics: Metrics | None = Field(None, description="What the server measures of itself.")
    predict_path: str | None = Field(
        None,
        max_length=1024,
        pattern=r"^/",
        description="Path that answers predictions; for smoke tests and people.",
    )
    protocol: Protocol | None = Field(
        None,
        description="What callers speak: V1 (TensorFlow Serving's), V2 (Open Inference), OpenAI, "
        "or Other.",
    )
    shared_memory: str | None = Field(
        None,
        max_length=32,
        pattern=r"^[0-9]+(\.[0-9]+)?(Ki|Mi|Gi|Ti|k|M|G|T)?$",
        description="Size of a memory-backed /dev/shm, such as 2Gi, for servers whose processes "
        "share memory. It counts against the memory limit.",
    )
