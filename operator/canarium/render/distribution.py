"""The field `trafficDistribution` of a Service, by the version of the API server.

A value that the API server rejects would block every write of the Service, that of a rollback
included. `PreferClose` is accepted by every supported version, and is the older name of
`PreferSameZone`, which is certain to be accepted since Kubernetes 1.35: in 1.34, a feature gate may
switch it off.
"""

from __future__ import annotations

from typing import Any

from canarium.api.effective_traffic import SAME_ZONE

_SINCE = 35
_OLDER_NAME = "PreferClose"


def traffic_distribution(wanted: str | None, server_minor: int | None) -> dict[str, Any]:
    """Returns the part of a Service's spec; empty if the field is not wanted."""
    if wanted is None:
        return {}
    older = wanted == SAME_ZONE and (server_minor is None or server_minor < _SINCE)
    return {"trafficDistribution": _OLDER_NAME if older else wanted}
