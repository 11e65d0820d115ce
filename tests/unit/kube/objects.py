"""Small objects and events for tests of the cache and the reflector."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Pod:
    namespace: str
    name: str
    uid: str
    version: int = field(compare=False)
    phase: str = ""


def project(raw: dict[str, Any]) -> Pod:
    meta = raw["metadata"]
    version = int(meta["resourceVersion"])
    return Pod(meta["namespace"], meta["name"], meta["uid"], version, raw.get("phase", ""))


def raw(name: str, uid: str, version: int, phase: str = "", namespace: str = "ns") -> Any:
    meta = {"namespace": namespace, "name": name, "uid": uid, "resourceVersion": str(version)}
    return {"metadata": meta, "phase": phase}


def event(kind: str, *args: Any) -> dict[str, Any]:
    return {"type": kind, "object": raw(*args)}


def bookmark(version: int) -> dict[str, Any]:
    return {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": str(version)}}}
