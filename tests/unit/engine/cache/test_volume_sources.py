"""What the volumes of a pod are filled from, by the record of its revision."""

from __future__ import annotations

from typing import Any

from canarium.engine.cache.store import Store
from canarium.engine.cache.volume_sources import sources
from canarium.kube import resources
from canarium.render import labels

KEY = ("risk", "fraud")


def store_with(*volumes: dict[str, Any]) -> Store:
    store = Store(lambda *_: None)
    marks = {labels.MODEL: "fraud", labels.REVISION: "a", labels.COLOR: "blue"}
    meta = {"namespace": "risk", "resourceVersion": "1", "labels": marks}
    store.caches[resources.RECORDS].observe(
        {
            "metadata": {**meta, "name": "fraud-a", "uid": "a"},
            "revision": 1,
            "data": {"template": {"spec": {"volumes": list(volumes)}}},
        }
    )
    made = {**meta, "name": "p", "uid": "p", "creationTimestamp": "2026-01-01T00:00:00Z"}
    store.caches[resources.PODS].observe({"metadata": made, "spec": {}, "status": {}})
    return store


# I8
def test_sources_are_the_required_secrets_and_config_maps() -> None:
    store = store_with(
        {"name": "a", "secret": {"secretName": "login"}},
        {"name": "b", "configMap": {"name": "rules"}},
        {"name": "c", "secret": {"secretName": "extra", "optional": True}},
        {"name": "d", "emptyDir": {}},
        {
            "name": "e",
            "projected": {
                "sources": [
                    {"secret": {"name": "token"}},
                    {"configMap": {"name": "more", "optional": True}},
                    {"serviceAccountToken": {"path": "t"}},
                ]
            },
        },
    )
    assert list(sources(store, KEY, "p")) == [
        (resources.SECRETS, "login"),
        (resources.CONFIG_MAPS, "rules"),
        (resources.SECRETS, "token"),
    ]


def test_unknown_pod_has_no_sources() -> None:
    store = store_with({"name": "a", "secret": {"secretName": "login"}})
    assert list(sources(store, KEY, "other")) == []
