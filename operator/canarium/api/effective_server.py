"""How a server is reached and probed, with every default filled in.

Resolved from the rendered server, not from its pydantic model: a record keeps what it was rendered
to.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from canarium.api.base import seconds
from canarium.api.defaults import SERVER_PORT

Raw = Mapping[str, Any]
#: Seconds that loading may take where only a probe asks for a startup probe.
_STARTUP_BUDGET = 600.0
_STARTUP_PERIOD = 2
_EXEC_TIMEOUT = 5


@dataclass(frozen=True, slots=True)
class EffectiveProbe:
    """A probe: `action` is its handler as in a container; times are in seconds."""

    action: Mapping[str, Any]
    period: int
    failure_threshold: int
    #: None: that of Kubernetes.
    timeout: int | None


@dataclass(frozen=True, slots=True)
class EffectiveServer:
    """The server's port for requests, and its probes."""

    port: int
    readiness: EffectiveProbe
    #: None: the server has finished loading when its container starts.
    startup: EffectiveProbe | None
    liveness: EffectiveProbe | None


def effective_server(server: Raw) -> EffectiveServer:
    """Returns how `server`, as `runtime.server` renders it, is reached and probed.

    There is a startup probe where another probe would end a server that is still loading.
    """
    port = server.get("port", SERVER_PORT)
    readiness, liveness = server["readiness"], server.get("liveness")
    budget, startup = server.get("startupBudget"), server.get("startup")
    return EffectiveServer(
        port=port,
        readiness=_probe(readiness, port, period=5, failures=3),
        startup=_startup(startup or readiness, readiness, port, budget)
        if startup or liveness or budget
        else None,
        # Tolerates a server that is busy for a moment.
        liveness=_probe(liveness, port, period=10, failures=6, timeout=5) if liveness else None,
    )


def _startup(startup: Raw, readiness: Raw, port: int, budget: str | None) -> EffectiveProbe:
    period = startup.get("periodSeconds") or readiness.get("periodSeconds") or _STARTUP_PERIOD
    longest = seconds(budget) if budget else _STARTUP_BUDGET
    probe = _probe(startup, port, period=period, failures=3)
    return replace(probe, failure_threshold=max(1, math.ceil(longest / period)))


def _probe(
    probe: Raw, server_port: int, *, period: int, failures: int, timeout: int | None = None
) -> EffectiveProbe:
    port = probe.get("port") or "http"
    action: Raw
    if probe.get("exec"):
        action, timeout = {"exec": {"command": probe["exec"]}}, timeout or _EXEC_TIMEOUT
    elif "grpc" in probe:
        service = {"service": probe["grpc"]} if probe["grpc"] else {}
        # A gRPC probe has to name a number.
        action = {"grpc": {"port": probe.get("port") or server_port, **service}}
    elif probe.get("tcp"):
        action = {"tcpSocket": {"port": port}}
    else:
        action = {"httpGet": {"path": probe["path"], "port": port}}
    return EffectiveProbe(
        action=action,
        period=probe.get("periodSeconds", period),
        failure_threshold=probe.get("failureThreshold", failures),
        timeout=probe.get("timeoutSeconds") or timeout,
    )
