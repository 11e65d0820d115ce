"""Settings of pods, with every default filled in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def effective_spread(spread: Mapping[str, Any]) -> dict[str, Any]:
    """Returns one entry of raw `spec.pod.topologySpread` as a constraint without a selector."""
    return {
        "topologyKey": spread["topologyKey"],
        "maxSkew": spread.get("maxSkew", 1),
        "whenUnsatisfiable": spread.get("whenUnsatisfiable", "ScheduleAnyway"),
    }
