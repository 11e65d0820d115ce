"""The Secrets and ConfigMaps that the volumes of a pod need, by the record of its revision."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from canarium.engine.cache.children import live_content
from canarium.engine.cache.store import Key, Store
from canarium.kube import resources
from canarium.kube.resources import Resource


def sources(store: Store, key: Key, pod: str) -> Iterator[tuple[Resource, str]]:
    """Yields the Secrets and ConfigMaps that the volumes of `pod` require."""
    facts = (child.fact for child in store.children(resources.PODS, key))
    revision = next((fact.revision for fact in facts if fact.name == pod), None)
    for child in store.children(resources.RECORDS, key):
        if child.fact.revision == revision:
            template = live_content(child)["template"]
            for volume in (template.get("spec") or {}).get("volumes") or ():
                yield from _needed(volume)


def _needed(volume: Mapping[str, Any]) -> Iterator[tuple[Resource, str]]:
    parts = [volume, *((volume.get("projected") or {}).get("sources") or ())]
    for part in parts:
        secret, config = part.get("secret") or {}, part.get("configMap") or {}
        for kind, source in ((resources.SECRETS, secret), (resources.CONFIG_MAPS, config)):
            # A Secret is named otherwise in a volume than in a projected one.
            name = source.get("secretName") or source.get("name")
            if name and not source.get("optional"):
                yield kind, str(name)
