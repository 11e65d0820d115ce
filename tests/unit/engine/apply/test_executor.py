"""A name that is in use: by a child that was not observed, or by another owner (R24)."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from canarium import FIELD_MANAGER
from canarium.core.decision import plan as p
from canarium.core.facts.object_ref import ObjectRef
from canarium.core.facts.revision import new_record, seal
from canarium.core.facts.traffic_record import TrafficRecord
from canarium.engine.apply.executor import Executor
from canarium.engine.apply.rejections import Rejections, WriteRejected
from canarium.engine.cache.store import Store
from canarium.kube import resources
from canarium.kube.errors import ApiError
from canarium.render import labels, workload

rule = pytest.mark.rule
PARENT: dict[str, Any] = {
    "apiVersion": "canarium.dev/v1alpha1",
    "kind": "ModelDeployment",
    "metadata": {"name": "m", "namespace": "ns", "uid": "ours", "generation": 1},
    "spec": {
        "model": {"version": "1"},
        "runtime": {"image": "model:1", "readiness": {"path": "/"}},
    },
}


@rule("R1")
async def test_no_deployment_is_created_from_an_altered_record() -> None:
    store = Store(lambda key, urgency: None)
    own = {"uid": "ours", "controller": True}
    meta = {"name": "m-r", "namespace": "ns", "uid": "r", "resourceVersion": "1"}
    marks = {labels.MODEL: "m", labels.REVISION: "r"}
    data: dict[str, Any] = {"algorithm": "v1", "template": {"spec": {"containers": []}}}
    data |= {"identity": {"model": {}}, "digest": "of something else"}
    store.caches[resources.RECORDS].observe(
        {"metadata": {**meta, "labels": marks, "ownerReferences": [own]}, "data": data}
    )
    executor = Executor(Taken({}), store, Rejections(float))  # type: ignore[arg-type]
    with pytest.raises(WriteRejected, match="altered"):
        await executor.carry_out(PARENT, p.CreateDeployment("r", "blue", 1))


class Taken:
    """An API server where the Service's name is taken; its fields belong to another owner."""

    def __init__(self, found: dict[str, Any] | ApiError) -> None:
        self.found = found
        self.patches: list[Any] = []

    async def apply(self, *where: Any, force: bool) -> Any:
        raise ApiError(409, "Conflict", "Apply failed with 1 conflict")

    async def get(self, *where: Any) -> Any:
        if isinstance(self.found, ApiError):
            raise self.found
        return self.found

    async def merge(self, *where: Any) -> Any:
        self.patches.append(where[-1])
        assert isinstance(self.found, dict)
        labels = where[-1]["metadata"]["labels"]
        return {**self.found, "metadata": {**self.found["metadata"], "labels": labels}}


def service(owner: str) -> dict[str, Any]:
    owners = [{"uid": owner, "controller": True}]
    meta = {"name": "m", "namespace": "ns", "uid": "s", "resourceVersion": "5"}
    return {"metadata": {**meta, "ownerReferences": owners}, "spec": {"selector": {"a": "b"}}}


async def routed(api: Taken) -> None:
    store = Store(lambda key, urgency: None)
    executor = Executor(api, store, Rejections(float))  # type: ignore[arg-type]
    await executor.carry_out(PARENT, p.SelectColor("blue", TrafficRecord("r")))


@rule("R24")
@pytest.mark.parametrize(
    "found", [service("theirs"), ApiError(403, "Forbidden", "cannot get services")]
)
async def test_foreign_name_is_a_conflict_even_if_it_cannot_be_read(
    found: Any,
) -> None:
    with pytest.raises(WriteRejected) as rejected:
        await routed(Taken(found))
    assert rejected.value.rejection.conflict


@rule("R23", "R24")
async def test_child_without_its_labels_gets_only_its_labels_back() -> None:
    api = Taken(service("ours"))
    await routed(api)
    (patch,) = api.patches
    assert patch["metadata"].keys() == {"uid", "labels"}
    assert patch["metadata"]["labels"]["canarium.dev/model"] == "m"


class Faltering:
    """An API server that fails the first `failures` creations of a record, and counts requests."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.asked = self.made = 0

    async def get(self, *where: Any) -> Any:
        raise ApiError(404, "NotFound", "there is none")

    async def create(
        self, resource: Any, namespace: str, body: dict[str, Any], *, dry_run: bool = False
    ) -> Any:
        if dry_run:
            self.asked += 1
            return {}
        if self.failures:
            self.failures -= 1
            raise ApiError(504, "Timeout", "")
        self.made += 1
        data = orjson.loads(orjson.dumps(body["data"]))
        meta = {**body["metadata"], "resourceVersion": "7", "uid": "r"}
        return {**body, "data": data, "metadata": meta}


# E1
@rule("R18")
async def test_dry_run_that_passed_is_not_repeated_when_the_write_after_it_fails() -> None:
    store, api = Store(lambda key, urgency: None), Faltering(2)
    store.parents.observe({**PARENT, "metadata": {**PARENT["metadata"], "resourceVersion": "1"}})
    executor = Executor(api, store, Rejections(float))  # type: ignore[arg-type]
    stored = new_record(PARENT["spec"], ())
    for _ in range(2):
        with pytest.raises(ApiError):
            await executor.carry_out(PARENT, p.StoreRevision(stored))
    await executor.carry_out(PARENT, p.StoreRevision(stored))
    assert (api.asked, api.made) == (1, 1)
    await executor.carry_out(PARENT, p.StoreRevision(stored))
    assert api.asked == 2, "for another record it is asked again"


# C7
@rule("R24")
async def test_taken_name_of_the_service_is_found_before_anything_is_created() -> None:
    store = Store(lambda key, urgency: None)
    store.parents.observe(
        {
            **PARENT,
            "metadata": {**PARENT["metadata"], "resourceVersion": "1", "generation": 1},
            "spec": {"model": {"version": "1"}, "runtime": {"image": "a:1"}},
        }
    )
    executor = Executor(Taken(service("theirs")), store, Rejections(float))  # type: ignore[arg-type]
    stored = new_record({"model": {"version": "1"}}, [])
    with pytest.raises(WriteRejected, match="adopt") as rejected:
        await executor.carry_out(PARENT, p.StoreRevision(stored))
    assert rejected.value.rejection.conflict
    assert rejected.value.rejection.object == ObjectRef("Service", "m")


class Accepting:
    """An API server that takes every apply, and keeps what was applied."""

    def __init__(self) -> None:
        self.applied: list[dict[str, Any]] = []

    async def apply(self, *where: Any, force: bool) -> Any:
        body: dict[str, Any] = where[-1]
        self.applied.append(body)
        live = {"uid": "s", "resourceVersion": "6"}
        return {**body, "metadata": {**body["metadata"], **live}}


def adopted(*ports: dict[str, Any]) -> dict[str, Any]:
    body = service("ours")
    body["metadata"]["labels"] = {labels.MODEL: "m"}
    return {**body, "spec": {"selector": {"a": "b"}, "ports": list(ports)}}


@rule("R24")
@pytest.mark.parametrize(
    ("live", "name"),
    [
        ([], "http"),
        ([{"port": 80, "protocol": "TCP"}], None),
        ([{"name": "web", "port": 80, "protocol": "TCP"}], "web"),
        ([{"name": "dns", "port": 80, "protocol": "UDP"}], "http"),
        ([{"name": "other", "port": 81, "protocol": "TCP"}], "http"),
    ],
)
async def test_port_of_a_live_service_keeps_its_name_when_the_selector_changes(
    live: list[dict[str, Any]], name: str | None
) -> None:
    store = Store(lambda key, urgency: None)
    if live:
        store.caches[resources.SERVICES].observe(adopted(*live))
    api = Accepting()
    executor = Executor(api, store, Rejections(float))  # type: ignore[arg-type]
    await executor.carry_out(PARENT, p.SelectColor("blue", TrafficRecord("r")))
    [port] = api.applied[0]["spec"]["ports"]
    assert (port["port"], port.get("name")) == (80, name)


@rule("R23", "R29")
def test_report_of_admission_follows_the_record() -> None:
    """A record that was deleted is stored again from what runs, which then is as applied."""
    store = Store(lambda key, urgency: None)
    store.parents.observe({**PARENT, "metadata": {**PARENT["metadata"], "resourceVersion": "1"}})
    executor = Executor(Taken({}), store, Rejections(float))  # type: ignore[arg-type]
    revision = new_record(PARENT["spec"], ()).revision
    store.caches[resources.RECORDS].observe(stored("1", "model:1"))
    live = workload.deployment(PARENT, revision, "blue", template("mirror.local/model:1"))
    owned: dict[str, Any] = {"f:containers": {'k:{"name":"server"}': {"f:name": {}, "f:image": {}}}}
    fields = {"f:spec": {"f:template": {"f:spec": owned}}}
    written = {"manager": FIELD_MANAGER, "operation": "Update", "fieldsV1": fields}
    live["metadata"] |= {"uid": "d", "resourceVersion": "2", "managedFields": [written]}
    store.caches[resources.DEPLOYMENTS].observe(live)
    (modified,) = executor.modified(PARENT)
    assert modified.object == ObjectRef("Deployment", f"m-{revision}")
    store.caches[resources.RECORDS].observe(stored("3", "mirror.local/model:1"))
    assert executor.modified(PARENT) == ()


def template(image: str) -> dict[str, Any]:
    return {
        "metadata": {"labels": {}},
        "spec": {"containers": [{"name": "server", "image": image}]},
    }


def stored(version: str, image: str) -> dict[str, Any]:
    """The record of the only revision, whose pods run `image`."""
    new = new_record(PARENT["spec"], ())
    data = {"algorithm": new.algorithm, "digest": new.digest, "identity": new.identity}
    data |= {"template": template(image)}
    head = workload.head_of(PARENT, "apps/v1", "ControllerRevision", new.revision)["metadata"]
    meta = {**head, "uid": f"r{version}", "resourceVersion": version}
    return {"metadata": meta, "data": {**data, "seal": seal(data)}}
