"""Images as kubelets resolved them: each digest that answered requests is on the record."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from canarium.api.status import Status
from canarium.core.facts import images
from core.cluster import Cluster, gateway_spec, spec
from core.facts.test_periods import Specs, served, update

ONE, TWO = (f"sha256:{digit * 64}" for digit in "12")
rule = pytest.mark.rule


def noted(cluster: Cluster, version: str) -> Any:
    """All that is recorded of a version: in its record, in others, and with the traffic."""
    revision = cluster.revision(version)
    (own,) = (images.parse_images(r.images) for r in cluster.records if r.revision == revision)
    others = (x.images for x in served(cluster, version))
    return images.images_to_json(images.merged((own, *others)))


def moved(cluster: Cluster, digest: str) -> None:
    """The tag stands for other bytes now, and one pod is created again, as after a node's drain."""
    cluster.image = digest
    cluster.pods = cluster.pods[1:]


def test_image_digest_is_recorded_before_the_version_has_traffic() -> None:
    cluster = Cluster(spec("1"), image=ONE).settle()
    while not cluster.serving():
        cluster.run(0.5)
    assert noted(cluster, "1") == {"server": f"registry/m@{ONE}"}


def test_digest_of_a_later_pod_is_recorded() -> None:
    cluster = Cluster(spec("1"), image=ONE).run(20)
    moved(cluster, TWO)
    cluster.run(20)
    assert noted(cluster, "1") == {"server": [f"registry/m@{ONE}", f"registry/m@{TWO}"]}
    before = cluster.writes
    cluster.run(30)
    assert cluster.writes == before


def test_digest_of_a_later_pod_of_stable_is_recorded_during_a_rollout() -> None:
    cluster = Cluster(spec("1"), image=ONE).run(20)
    cluster.spec = spec("2")
    cluster.run(8)
    cluster.crash("2").run(20)
    assert cluster.status.phase == "RolledBack"
    moved(cluster, TWO)
    cluster.run(20)
    assert noted(cluster, "1") == {"server": [f"registry/m@{ONE}", f"registry/m@{TWO}"]}


def test_digest_under_two_names_is_one_image() -> None:
    cluster = Cluster(spec("1"), image=ONE).run(20)
    before = cluster.writes
    cluster.pods = [
        replace(p, images=(("server", f"mirror/m@{ONE}"),)) if n else p
        for n, p in enumerate(cluster.pods)
    ]
    cluster.run(20)
    assert cluster.writes == before


@pytest.mark.parametrize("make", [spec, gateway_spec], ids=["Service", "Gateway"])
@rule("R1", "R18")
def test_digests_of_a_version_are_kept_after_it_is_replaced(make: Specs) -> None:
    cluster = Cluster(make("1"), image=ONE).run(20)
    cluster.image = TWO
    update(cluster, "2", make=make)
    cluster.status = Status()
    cluster.image = ONE
    update(cluster, "3", make=make)
    assert noted(cluster, "1") == {"server": f"registry/m@{ONE}"}
    assert noted(cluster, "2") == {"server": f"registry/m@{TWO}"}
    assert noted(cluster, "3") == {"server": f"registry/m@{ONE}"}


@rule("R1")
def test_digest_of_a_version_that_failed_without_traffic_is_recorded() -> None:
    cluster = Cluster(spec("1"), image=ONE).run(20)
    cluster.image = TWO
    cluster.broken.add("2")
    update(cluster, "2", 20)
    assert cluster.status.phase == "RolledBack"
    assert noted(cluster, "2") == {"server": f"registry/m@{TWO}"}


@rule("R18")
def test_newer_operator_rewrites_no_record_of_a_serving_version() -> None:
    cluster = Cluster(spec("1")).run(20)
    before = cluster.writes
    cluster.pods = [replace(p, images=(("server", f"registry/m@{ONE}"),)) for p in cluster.pods]
    cluster.run(20)
    assert cluster.writes == before
