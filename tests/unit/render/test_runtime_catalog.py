"""Which runtime a spec means."""

from __future__ import annotations

from typing import Any

import pytest

from canarium.api.runtime import BUILT_IN, CLUSTER, NAMESPACED
from canarium.render.errors import RuntimeInvalid
from canarium.render.runtime import server
from canarium.render.runtime_catalog import Catalog, RuntimeTemplate, built_in


def runtime(
    name: str, *formats: dict[str, Any], kind: str = CLUSTER, **more: Any
) -> RuntimeTemplate:
    return RuntimeTemplate(kind, name, {"image": name, "formats": list(formats), **more})


def by_format(name: str, version: str | None = None) -> dict[str, Any]:
    return {"model": {"format": name, **({"formatVersion": version} if version else {})}}


def chosen(catalog: Catalog, spec: dict[str, Any]) -> str:
    found = catalog.choose(spec)
    assert found
    return f"{found.kind}/{found.name}"


def refused(catalog: Catalog, spec: dict[str, Any]) -> RuntimeInvalid:
    with pytest.raises(RuntimeInvalid) as error:
        catalog.choose(spec)
    return error.value


def test_narrower_scope_takes_precedence() -> None:
    spec = {"model": {}, "runtime": {"name": "triton"}}
    cluster = {"triton": runtime("triton")}
    namespaced = {"triton": runtime("triton", kind=NAMESPACED)}
    assert chosen(Catalog(), spec) == f"{BUILT_IN}/triton"
    assert chosen(Catalog(cluster=cluster), spec) == f"{CLUSTER}/triton"
    assert chosen(Catalog(namespaced, cluster), spec) == f"{NAMESPACED}/triton"


def test_name_precedes_format_and_an_own_image_needs_no_runtime() -> None:
    named = {**by_format("sklearn"), "runtime": {"name": "triton"}}
    assert chosen(Catalog(), named) == f"{BUILT_IN}/triton"
    assert Catalog().choose({**by_format("sklearn"), "runtime": {"image": "mine"}}) is None


@pytest.mark.parametrize(
    ("format", "name"),
    [
        ("sklearn", "mlserver-sklearn"), ("xgboost", "mlserver-xgboost"),
        ("lightgbm", "mlserver-lightgbm"), ("mlflow", "mlserver-mlflow"), ("onnx", "triton"),
        ("tensorflow", "tensorflow-serving"), ("huggingface", "vllm"), ("gguf", "llama-cpp"),
    ],
)  # fmt: skip
def test_built_in_runtimes_are_chosen_by_format_without_doubt(format: str, name: str) -> None:
    assert chosen(Catalog(), by_format(format)) == f"{BUILT_IN}/{name}"


def test_highest_priority_wins_and_equal_ones_are_refused_by_name() -> None:
    one = runtime("one", {"name": "f", "priority": 1})
    two = runtime("two", {"name": "f", "priority": 2})
    also = runtime("also", {"name": "f", "priority": 2})
    assert chosen(Catalog(cluster={"one": one, "two": two}), by_format("f")) == f"{CLUSTER}/two"
    error = refused(Catalog(cluster={"one": one, "two": two, "also": also}), by_format("f"))
    assert error.reason == "AmbiguousFormat"
    assert "ClusterModelRuntime also and ClusterModelRuntime two" in str(error)
    assert "one" not in str(error).split(" is served by ")[1].split(" with ")[0]


def test_versions_narrow_the_choice_up_to_a_dot() -> None:
    old = runtime("old", {"name": "f", "versions": ["1"]})
    new = runtime("new", {"name": "f", "versions": ["2", "10"]})
    catalog = Catalog(cluster={"old": old, "new": new})
    assert chosen(catalog, by_format("f", "1.7")) == f"{CLUSTER}/old"
    assert chosen(catalog, by_format("f", "10")) == f"{CLUSTER}/new"
    assert refused(catalog, by_format("f", "100")).reason == "UnknownFormat"
    assert refused(catalog, by_format("f")).reason == "AmbiguousFormat"


def test_runtime_without_auto_select_is_not_chosen() -> None:
    shy = runtime("shy", {"name": "f", "autoSelect": False})
    error = refused(Catalog(cluster={"shy": shy}), by_format("f"))
    assert error.reason == "UnknownFormat"
    assert "no runtime serves f; known: " in str(error)
    assert "sklearn" in str(error)


def test_unknown_name_is_refused_with_those_that_there_are() -> None:
    error = refused(Catalog(), {"model": {}, "runtime": {"name": "no-such"}})
    assert error.reason == "UnknownRuntime"
    assert "there is no runtime no-such; known: bentoml, custom" in str(error)


def test_digest_is_about_how_a_server_runs_alone() -> None:
    assert RuntimeTemplate(CLUSTER, "a", {"image": "x", "formats": []}).digest == (
        RuntimeTemplate(CLUSTER, "a", {"image": "x", "description": "d"}).digest
    )
    assert RuntimeTemplate(CLUSTER, "a", {"image": "x"}).digest != (
        RuntimeTemplate(CLUSTER, "a", {"image": "y"}).digest
    )


@pytest.mark.parametrize(
    ("name", "own", "reason", "said"),
    [
        ("custom", {"image": "a"}, "NoReadinessProbe", "built-in runtime custom has no readiness"),
        ("bentoml", {}, "NoImage", "built-in runtime bentoml names no image"),
    ],
)
def test_server_that_lacks_something_is_refused(
    name: str, own: dict[str, Any], reason: str, said: str
) -> None:
    with pytest.raises(RuntimeInvalid) as error:
        server("m", "ns", {"model": {}, "runtime": own}, built_in()[name])
    assert error.value.reason == reason
    assert said in str(error.value)


def test_user_fields_override_the_runtime_and_are_not_templates() -> None:
    template = runtime(
        "r",
        env=[{"name": "A", "value": "{{ model.name }}"}, {"name": "B", "value": "b"}],
        readiness={"path": "/{{ model.name }}"},
        metrics={"port": 9, "errors": {"unavailable": True}},
    )
    own = {
        "name": "r",
        "image": "mine:1",
        "env": [{"name": "B", "value": "{{ kept }}"}],
        "metrics": {"errors": {"names": ["e"]}},
    }
    found = server("m", "ns", {"model": {}, "runtime": own}, template)
    assert found["image"] == "mine:1"
    assert found["env"] == [{"name": "A", "value": "m"}, {"name": "B", "value": "{{ kept }}"}]
    assert found["readiness"] == {"path": "/m"}
    assert found["metrics"] == {"port": 9, "errors": {"names": ["e"]}}


def test_server_of_a_registered_model_gets_its_number_unless_it_has_a_name() -> None:
    template = built_in()["mlserver-sklearn"]

    def version(**model: str) -> str:
        env = server("m", "ns", {"model": model}, template)["env"]
        return next(x["value"] for x in env if x["name"] == "MLSERVER_MODEL_VERSION")

    assert version(uri="mlflow://fraud/7") == "7"
    assert version(uri="mlflow://fraud/7", version="may") == "may"
    assert version(uri="s3://models/fraud") == ""
