"""Rollouts that check templates judge."""

from __future__ import annotations

import json
from typing import Any

import pytest

from core.cluster import Cluster, gateway_spec, spec

SLO = ("CheckTemplate", "slo")
USE = {"name": "slo", "args": {"max": "1%"}}
MAKES = pytest.mark.parametrize("make", [spec, gateway_spec], ids=["service", "gateway"])


def slo(name: str = "errors", bound: str = "{{ args.max }}", **more: Any) -> dict[str, Any]:
    checks = [{"name": name, "metric": "ErrorRate", "max": bound}]
    return {"args": [{"name": "max"}], "checks": checks, **more}


def judged(version: str, *uses: dict[str, Any], make: Any = spec, **analysis: Any) -> Any:
    made = make(version)
    templates = {"templates": list(uses)} if uses else {}
    made["rollout"] |= {"analysis": {**templates, **analysis}}
    return made


def rolling(
    *uses: dict[str, Any],
    templates: dict[tuple[str, str], Any] | None = None,
    seconds: float = 8,
    make: Any = spec,
    **analysis: Any,
) -> Cluster:
    """Version 1 promoted without an analysis, version 2 with one on its way for so long."""
    cluster = Cluster(make("1")).run(10)
    cluster.check_templates |= {SLO: slo()} if templates is None else templates
    cluster.spec = judged("2", *(uses or (USE,)), make=make, **analysis)
    return cluster.run(seconds)


def recorded(cluster: Cluster, version: str = "2") -> list[dict[str, Any]]:
    record = next(r for r in cluster.records if r.revision == cluster.revision(version))
    return list(json.loads(record.check_templates or "[]"))


def waits(cluster: Cluster, reason: str = "AnalysisNotReady") -> bool:
    return cluster.status.waiting_for is not None and cluster.status.waiting_for.reason == reason
