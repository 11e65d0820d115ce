"""Differences from what the operator applies: drift, or changes by admission."""

from __future__ import annotations

from typing import Any

import pytest

from canarium.engine.apply.contested_children import RepairLimiter
from canarium.engine.apply.drift import compare
from canarium.engine.apply.rejections import WriteRejected
from canarium.engine.cache.managed_fields import owned_by_us
from canarium.kube import resources

rule = pytest.mark.rule
WANTED = {"containers": [{"name": "server", "image": "model:1"}], "hostNetwork": False}


def live(image: str) -> dict[str, Any]:
    return {"containers": [{"name": "server", "image": image, "terminationMessagePath": "/x"}]}


def managed(*fields: str, manager: str = "canarium") -> dict[str, Any]:
    inner = {"k:" + '{"name":"server"}': {".": {}, **{f"f:{name}": {} for name in fields}}}
    spec = {"f:containers": inner}
    return {"manager": manager, "operation": "Update", "fieldsV1": {"f:spec": spec}}


# I13
@rule("R14", "R23")
def test_value_that_admission_changed_is_kept_and_named() -> None:
    owned = owned_by_us([managed("name", "image")])
    found = compare(live("mirror/model:1"), WANTED, owned)
    assert found.drift == []
    assert found.preserved == ["spec.containers[server].image"]
    assert found.merged["containers"][0]["image"] == "mirror/model:1"


@rule("R23")
def test_value_that_another_client_changed_is_drift() -> None:
    owned = owned_by_us([managed("name"), managed("image", manager="kubectl-edit")])
    found = compare(live("model:other"), WANTED, owned)
    assert (found.drift, found.preserved) == (["spec.containers[server].image"], [])
    assert found.merged == WANTED


@rule("R23")
def test_values_decide_drift_without_managed_fields() -> None:
    assert owned_by_us(None) is None
    assert compare(live("model:1"), WANTED).drift == []
    assert compare(live("model:other"), WANTED).drift == ["spec.containers[server].image"]


# I14
@rule("R18")
@pytest.mark.parametrize(
    ("path", "there", "wanted", "differs"),
    [
        ("limits", {"cpu": "1"}, {"cpu": "1000m"}, False),
        ("limits", {"cpu": "500m"}, {"cpu": 0.5}, False),
        ("limits", {"memory": "512Mi"}, {"memory": "0.5Gi"}, False),
        ("limits", {"memory": "1G"}, {"memory": "1e9"}, False),
        ("limits", {"cpu": "1m"}, {"cpu": "100u"}, False),
        ("limits", {"cpu": "1001m"}, {"cpu": "1"}, True),
        ("value", "1", "1000m", True),
        ("args", ["1"], ["1000m"], True),
        ("hostPID", None, False, True),
        ("period", 1, True, True),
        ("period", 10, None, False),
    ],
)
def test_quantities_are_compared_by_value_and_texts_are_not(
    path: str, there: Any, wanted: Any, differs: bool
) -> None:
    assert bool(compare({path: there}, {path: wanted}).drift) == differs


# I14
@rule("R18", "R23")
@pytest.mark.parametrize(
    ("field", "value", "differs"),
    [
        ("hostNetwork", False, False),
        ("tolerations", [], False),
        ("nodeSelector", {}, False),
        ("dnsPolicy", "", False),
        ("automountServiceAccountToken", False, True),
        ("runAsUser", 0, True),
        ("hostNetwork", True, True),
    ],
)
def test_absent_value_is_drift_only_if_absence_differs_from_its_default(
    field: str, value: Any, differs: bool
) -> None:
    assert bool(compare({}, {field: value}).drift) == differs


@rule("R23")
def test_two_clients_that_disagree_do_not_race() -> None:
    now = 0.0
    contested = RepairLimiter(lambda: now)
    what = (("ns", "m"), resources.DEPLOYMENTS, "m-r", ["spec.replicas"])
    for _ in range(3):
        contested.attempt(*what)
    with pytest.raises(WriteRejected, match=r"keeps changing spec\.replicas") as rejected:
        contested.attempt(*what)
    assert rejected.value.rejection.reason == "Contested"
    now = 31.0
    contested.attempt(*what)
    with pytest.raises(WriteRejected):
        contested.attempt(*what)


class CountedName(str):
    """A name that counts how often it is compared."""

    compared = 0

    def __eq__(self, other: object) -> bool:
        CountedName.compared += 1
        return str.__eq__(self, other)

    __hash__ = str.__hash__


# H11
@rule("R31")
@pytest.mark.parametrize("is_owned", [True, False])
def test_comparisons_grow_with_the_number_of_environment_variables(is_owned: bool) -> None:
    """A user's template may have 25,000 of them, and the comparison runs on the event loop."""
    env = [{"name": CountedName(f"V{i}"), "value": "x"} for i in range(300)]
    names = {f'k:{{"name":"V{i}"}}': {".": {}, "f:name": {}, "f:value": {}} for i in range(300)}
    live_env = [{**item, "name": str(item["name"])} for item in reversed(env)]
    live_env[0] = {**live_env[0], "value": "edited"}
    CountedName.compared = 0
    found = compare({"env": live_env}, {"env": env}, {"f:env": names} if is_owned else None)
    assert (found.preserved if is_owned else found.drift) == ["spec.env[V299].value"]
    assert CountedName.compared < 10 * len(env)


@rule("R23")
def test_item_without_a_default_of_the_api_server_is_the_same_item() -> None:
    names = {
        'k:{"containerPort":80,"protocol":"TCP"}': {".": {}, "f:containerPort": {}, "f:name": {}}
    }
    live_port = {"containerPort": 80, "protocol": "TCP", "name": "renamed"}
    wanted = {"ports": [{"containerPort": 80, "name": "web"}]}
    found = compare({"ports": [live_port]}, wanted, {"f:ports": names})
    assert (found.drift, found.preserved) == ([], ["spec.ports[web].name"])
