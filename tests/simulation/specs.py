"""The specs that users apply: four versions, and every setting that changes a rollout's course."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

ALIAS = "mlflow://fraud@champion"
VERSIONS = ("v1", "v2", "v3", "v4")

STEPS: dict[str, list[dict[str, Any]]] = {
    "two": [{"weight": 25, "pause": "10s"}, {"weight": 50, "pause": "10s"}],
    "none": [],
    "fast": [{"weight": 10}, {"weight": 90, "pause": "1s"}],
    "manual": [{"weight": 20, "pause": "Manual"}, {"weight": 60, "pause": "5s"}],
    "whole": [{"weight": 100, "pause": "5s"}],
    "many": [{"weight": weight, "pause": "2s"} for weight in (5, 10, 10, 40, 80)],
}

QUEUE = {"type": "External", "external": {"metric": {"name": "queue_length"}}}

SCALINGS: dict[str, dict[str, Any]] = {
    "zero": {"replicas": 0},
    "one": {"replicas": 1},
    "three": {"replicas": 3},
    "five": {"replicas": 5},
    "auto": {"minReplicas": 1, "maxReplicas": 4},
    "wide": {"minReplicas": 2, "maxReplicas": 6},
    "elastic": {"minReplicas": 0, "maxReplicas": 4, "metrics": [QUEUE]},
}

ROUTERS = ("Service", "Gateway")
STRATEGIES = ("Canary", "BlueGreen", "Recreate")


def spec(
    version: str = "v1",
    *,
    steps: str = "two",
    scaling: str = "three",
    strategy: str = "Canary",
    bake: str = "20s",
    paused: bool = False,
    router: str = "Service",
    alias: bool = False,
) -> dict[str, Any]:
    """A raw spec; settings by their names in the tables above. `alias`: it follows one."""
    rollout: dict[str, Any] = {
        "strategy": strategy,
        "bakeTime": bake,
        "progressDeadline": "60s",
        "unschedulableDeadline": "30s",
    }
    if strategy == "Canary" and STEPS[steps]:
        rollout["steps"] = STEPS[steps]
    made: dict[str, Any] = {
        "model": {"version": version},
        "runtime": {"image": image(version), "readiness": {"path": "/ready"}},
        "scaling": SCALINGS[scaling],
        "rollout": rollout,
    }
    if router == "Gateway":
        made["traffic"] = {"router": router, "gateway": {"parentRefs": [{"name": "public"}]}}
    if alias:
        made["model"] |= {
            "uri": ALIAS,
            "endpoint": "https://mlflow.example",
            # With a digest, pods need no fetcher's report, which no kubelet here makes.
            "digest": f"sha256:{'0' * 64}",
            "follow": {"interval": "30s"},
        }
    if paused:
        made["paused"] = True
    return made


def image(version: str) -> str:
    return f"model:{version}"


#: One edit of a spec: the argument of `spec` to change, and its new value.
edits = st.one_of(
    st.tuples(st.just("version"), st.sampled_from(VERSIONS)),
    st.tuples(st.just("version"), st.sampled_from(VERSIONS)),
    st.tuples(st.just("version"), st.sampled_from(VERSIONS)),
    st.tuples(st.just("steps"), st.sampled_from(sorted(STEPS))),
    st.tuples(st.just("scaling"), st.sampled_from(sorted(SCALINGS))),
    st.tuples(st.just("strategy"), st.sampled_from(STRATEGIES)),
    st.tuples(st.just("bake"), st.sampled_from(("0s", "20s", "60s"))),
    st.tuples(st.just("paused"), st.booleans()),
)
