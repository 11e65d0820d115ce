"""Whether a newer CRD takes every object that an older one took, and keeps all of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Schema = dict[str, Any]
_TIGHTER_IF_LOWER = ("maximum", "maxLength", "maxItems", "maxProperties")
_TIGHTER_IF_HIGHER = ("minimum", "minLength", "minItems", "minProperties")


def breaks(old: Schema, new: Schema) -> list[str]:
    """What in the CRD `new` an object of `old` could stumble over, each with its path."""
    found = []
    versions = {v["name"]: v for v in new["spec"]["versions"]}
    if old["spec"]["scope"] != new["spec"]["scope"]:
        found.append("the scope changed")
    for name in ("plural", "kind"):
        if old["spec"]["names"][name] != new["spec"]["names"][name]:
            found.append(f"names.{name} changed")
    for short in set(old["spec"]["names"].get("shortNames", ())):
        if short not in new["spec"]["names"].get("shortNames", ()):
            found.append(f"short name {short} was removed")
    for version in old["spec"]["versions"]:
        after = versions.get(version["name"])
        if after is None or not after["served"]:
            found.append(f"version {version['name']} was removed")
            continue
        for sub in version.get("subresources", {}):
            if sub not in after.get("subresources", {}):
                found.append(f"subresource {sub} was removed")
        found += _node("", version["schema"]["openAPIV3Schema"], after["schema"]["openAPIV3Schema"])
    return found


def _node(path: str, old: Schema, new: Schema) -> Iterator[str]:
    # Only the operator writes a status: there, bounds describe what it has always written.
    bounded = not path.startswith(".status")
    if old.get("type") != new.get("type"):
        yield f"{path}: type {old.get('type')} became {new.get('type')}"
        return
    open_before = old.get("x-kubernetes-preserve-unknown-fields")
    if open_before and not new.get("x-kubernetes-preserve-unknown-fields"):
        yield f"{path}: unknown fields are dropped now"
    if "enum" in new and not set(old.get("enum", ())) <= set(new["enum"]):
        yield f"{path}: enum lost {sorted(set(old.get('enum', ())) - set(new['enum']))}"
    if "enum" in new and "enum" not in old:
        yield f"{path}: became an enum"
    for key in _TIGHTER_IF_LOWER if bounded else ():
        if key in new and new[key] < old.get(key, float("inf")):
            yield f"{path}: {key} {old.get(key)} became {new[key]}"
    for key in _TIGHTER_IF_HIGHER if bounded else ():
        if key in new and new[key] > old.get(key, float("-inf")):
            yield f"{path}: {key} {old.get(key)} became {new[key]}"
    if bounded and "pattern" in new and new["pattern"] != old.get("pattern"):
        yield f"{path}: pattern {old.get('pattern')} became {new['pattern']}"
    for name in set(new.get("required", ())) - set(old.get("required", ())):
        yield f"{path}.{name}: became required"
    for name, child in old.get("properties", {}).items():
        after = new.get("properties", {}).get(name)
        if after is None and not new.get("x-kubernetes-preserve-unknown-fields"):
            yield f"{path}.{name}: was removed"
        elif after is not None:
            yield from _node(f"{path}.{name}", child, after)
    for key, sign in (("items", "[]"), ("additionalProperties", "{}")):
        if isinstance(old.get(key), dict) and isinstance(new.get(key), dict):
            yield from _node(path + sign, old[key], new[key])
