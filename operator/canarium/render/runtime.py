"""Runtimes: how a server is started and probed. Their string leaves are Jinja2, sandboxed.

Templates are the operator's own files; even so they run without a loader, with undefined names
refused and the output bounded, since administrators will write them one day.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import yaml
from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

_ENVIRONMENT = ImmutableSandboxedEnvironment(undefined=StrictUndefined)
_LONGEST = 64_000


class RuntimeInvalid(ValueError):
    """A runtime cannot be rendered; the text names the leaf and what is wrong."""


@cache
def builtin() -> Mapping[str, Mapping[str, Any]]:
    """The built-in runtimes by name."""
    found = files("canarium.runtimes").iterdir()
    return {
        entry.name.removesuffix(".yaml"): yaml.safe_load(entry.read_text())
        for entry in found
        if entry.name.endswith(".yaml")
    }


def name_for(spec: Mapping[str, Any]) -> str | None:
    """The runtime that `spec` names, or that its format picks; None for an image of one's own."""
    runtime = spec.get("runtime") or {}
    if runtime.get("name") or runtime.get("image"):
        name: str | None = runtime.get("name")
        return name
    wanted = (spec.get("model") or {}).get("format")
    fitting = sorted(name for name, r in builtin().items() if wanted in r["formats"])
    if len(fitting) != 1:
        found = ", ".join(fitting) or "none"
        raise RuntimeInvalid(f"spec.model.format: {wanted!r} fits {found}; set spec.runtime.name")
    return fitting[0]


def snapshot(name: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    """The server for `spec`: the runtime rendered, with the user's own fields laid over it."""
    runtime_name = name_for(spec)
    base: dict[str, Any] = {}
    if runtime_name:
        if runtime_name not in builtin():
            raise RuntimeInvalid(f"spec.runtime.name: no runtime {runtime_name!r}")
        template = {k: v for k, v in builtin()[runtime_name].items() if k != "formats"}
        base = _leaves(template, {"model": _model(name, spec)}, runtime_name)
    own = {k: v for k, v in (spec.get("runtime") or {}).items() if k != "name"}
    env = {e["name"]: e for e in (*base.get("env", []), *own.pop("env", []))}
    merged = {**base, **own}
    if env:
        merged["env"] = list(env.values())
    return merged


def _model(name: str, spec: Mapping[str, Any]) -> dict[str, str]:
    model = spec.get("model") or {}
    path = str(model.get("uri") or "file:///mnt/models").removeprefix("file://")
    return {"name": name, "path": path.rstrip("/"), "version": str(model.get("version") or "")}


def _leaves(node: Any, context: Mapping[str, Any], where: str) -> Any:
    if isinstance(node, dict):
        return {key: _leaves(value, context, f"{where}.{key}") for key, value in node.items()}
    if isinstance(node, list):
        return [_leaves(value, context, f"{where}[{i}]") for i, value in enumerate(node)]
    if not isinstance(node, str):
        return node
    try:
        text = _ENVIRONMENT.from_string(node).render(context)
    except TemplateError as error:
        raise RuntimeInvalid(f"runtime {where}: {error}") from error
    if len(text) > _LONGEST:
        raise RuntimeInvalid(f"runtime {where}: renders to over {_LONGEST} characters")
    return text
