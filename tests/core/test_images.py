"""Images as kubelets resolved them: each digest that answered requests is on the record."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from core.cluster import Cluster, spec

ONE, TWO = (f"sha256:{digit * 64}" for digit in "12")
rule = pytest.mark.rule


def noted(cluster: Cluster, version: str) -> dict[str, object]:
    revision = cluster.revision(version)
    (record,) = (r for r in cluster.records if r.revision == revision)
    found: dict[str, object] = json.loads(record.images or "{}")
    return found


def moved(cluster: Cluster, digest: str) -> None:
    """The tag stands for other bytes now, and one pod is made anew, as after a node's drain."""
    cluster.image = digest
    cluster.pods = cluster.pods[1:]


def test_the_digest_of_an_image_is_noted_before_it_has_traffic() -> None:
    cluster = Cluster(spec("1"), image=ONE).settle()
    while not cluster.serving():
        cluster.run(0.5)
    assert noted(cluster, "1") == {"server": f"registry/m@{ONE}"}


def test_a_later_pod_of_another_digest_is_noted_too() -> None:
    cluster = Cluster(spec("1"), image=ONE).run(20)
    moved(cluster, TWO)
    cluster.run(20)
    assert noted(cluster, "1") == {"server": [f"registry/m@{ONE}", f"registry/m@{TWO}"]}
    before = cluster.writes
    cluster.run(30)
    assert cluster.writes == before


def test_a_later_pod_of_stable_is_noted_while_another_version_is_wanted() -> None:
    cluster = Cluster(spec("1"), image=ONE).run(20)
    cluster.spec = spec("2")
    cluster.run(8)
    cluster.crash("2").run(20)
    assert cluster.status.phase == "RolledBack"
    moved(cluster, TWO)
    cluster.run(20)
    assert noted(cluster, "1") == {"server": [f"registry/m@{ONE}", f"registry/m@{TWO}"]}


def test_one_digest_under_two_names_is_one_image() -> None:
    cluster = Cluster(spec("1"), image=ONE).run(20)
    before = cluster.writes
    cluster.pods = [
        replace(p, images=(("server", f"mirror/m@{ONE}"),)) if n else p
        for n, p in enumerate(cluster.pods)
    ]
    cluster.run(20)
    assert cluster.writes == before


@rule("R18")
def test_a_newer_operator_rewrites_no_record_of_what_serves() -> None:
    cluster = Cluster(spec("1")).run(20)
    before = cluster.writes
    cluster.pods = [replace(p, images=(("server", f"registry/m@{ONE}"),)) for p in cluster.pods]
    cluster.run(20)
    assert cluster.writes == before
    assert noted(cluster, "1") == {}
