"""The built-in runtimes as pods, each beside its expected manifest.

`PYTHONPATH=tests/unit python -m render.golden` writes them again; `git diff` shows what changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from canarium.render.pod import pod_template
from canarium.render.runtime import server
from canarium.render.runtime_catalog import built_in

_ROOT = Path(__file__).parents[3]
FOLDER = _ROOT / "tests" / "golden" / "runtimes"
#: Pods of examples that a built-in runtime alone does not render.
EXAMPLES = _ROOT / "tests" / "golden" / "examples"
_EXAMPLES = ("gpu-claim",)
#: What a model must set itself, where the runtime leaves it open.
OWN: Mapping[str, Mapping[str, Any]] = {
    "bentoml": {"image": "registry.example/bento:1"},
    "litserve": {"image": "registry.example/lit:1"},
    "custom": {"image": "registry.example/own:1", "readiness": {"path": "/ready"}},
    "llama-cpp": {"parameters": {"file": "model-q4.gguf"}},
    "vllm": {"parameters": {"maxModelLen": "8192"}},
}
GPU = {"limits": {"nvidia.com/gpu": 2, "memory": "64Gi"}}


def spec(name: str) -> dict[str, Any]:
    """A spec that is served by the built-in runtime `name`."""
    found: dict[str, Any] = {
        "model": {"version": "7"},
        "runtime": {"name": name, **OWN.get(name, {})},
    }
    if name in ("vllm", "text-generation-inference", "triton"):
        found["resources"] = GPU
    return found


def rendered(name: str) -> dict[str, Any]:
    """The pod template of that spec."""
    made = server("fraud", "risk", spec(name), built_in()[name])
    return pod_template("fraud", "vkxf7wr8", spec(name), made)


def text(name: str) -> str:
    return yaml.safe_dump(rendered(name), sort_keys=True, width=100)


def example(name: str) -> str:
    """The pod template of the ModelDeployment in an example."""
    documents = yaml.safe_load_all((_ROOT / "examples" / f"{name}.yaml").read_text())
    found = next(body for body in documents if body["kind"] == "ModelDeployment")["spec"]
    made = server(name, "risk", found, built_in()[found["runtime"]["name"]])
    pod = pod_template(name, "vkxf7wr8", found, made)
    return yaml.safe_dump(pod, sort_keys=True, width=100)


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for runtime in built_in():
        (FOLDER / f"{runtime}.yaml").write_text(text(runtime))
    EXAMPLES.mkdir(parents=True, exist_ok=True)
    for one in _EXAMPLES:
        (EXAMPLES / f"{one}.yaml").write_text(example(one))
