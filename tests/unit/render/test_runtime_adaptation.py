"""Built-in runtimes in a cluster with a mirror of images, or with assigned ids of users."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from canarium.config import Config
from canarium.engine.cache.runtimes import Runtimes
from canarium.render.runtime_adaptation import adapted
from canarium.render.runtime_catalog import built_in


def user_ids(node: Any) -> Iterator[str]:
    """Yields the keys of all ids of users and groups below a node."""
    if isinstance(node, dict):
        yield from (key for key in node if key in ("runAsUser", "runAsGroup", "fsGroup"))
        node = list(node.values())
    if isinstance(node, list):
        for item in node:
            yield from user_ids(item)


def test_without_settings_the_runtimes_are_those_that_ship() -> None:
    assert adapted() is built_in()


def test_registry_replaces_that_of_every_image_and_keeps_the_rest() -> None:
    found = adapted("mirror.test:5000/hub")
    assert found.keys() == built_in().keys()
    images = {name: runtime.spec.get("image") for name, runtime in found.items()}
    assert images["vllm"].startswith("mirror.test:5000/hub/vllm/vllm-openai:")
    for name, runtime in built_in().items():
        image = runtime.spec.get("image")
        if image is None:
            assert images[name] is None
            continue
        host, _, rest = image.partition("/")
        assert re.search(r"[.:]", host)
        assert images[name] == f"mirror.test:5000/hub/{rest}"
        without = {key: value for key, value in found[name].spec.items() if key != "image"}
        assert without == {key: value for key, value in runtime.spec.items() if key != "image"}


def test_assigned_user_ids_leave_none_in_any_runtime() -> None:
    shipped = [name for name, runtime in built_in().items() if list(user_ids(runtime.spec))]
    assert len(shipped) >= 5
    found = adapted(user_ids=False)
    assert [name for name, runtime in found.items() if list(user_ids(runtime.spec))] == []
    # Those that ship are shared by all callers.
    assert list(user_ids(built_in()["vllm"].spec)) == ["runAsUser", "runAsGroup"]
    assert found["vllm"].digest != built_in()["vllm"].digest


def test_models_use_the_adapted_runtimes() -> None:
    runtimes = Runtimes(lambda namespace, name: None)
    runtimes.built_in = adapted("mirror.test")
    chosen = runtimes.catalog("ns").choose({"runtime": {"name": "triton"}})
    assert chosen
    assert chosen.spec["image"].startswith("mirror.test/nvidia/tritonserver:")


@pytest.mark.parametrize("wrong", ["https://mirror.test", "mirror.test/", "mirror.test/A", "a b"])
def test_registry_that_is_not_valid_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"--runtime-image-registry .* must be a host"):
        Config(runtime_image_registry=wrong)
