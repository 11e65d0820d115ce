"""The Lua for Argo CD on every file of testdata, as Argo CD's own tests would run it."""

from __future__ import annotations

import pickle
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from argocd.generate import ARGOCD, KIND, acted, displayed, stale
from argocd.lua import OPEN, STRICT, LuaFailed, merge_patch, run
from argocd.scenarios import ACTIONS, ICONS, SCENARIOS

#: The loader in C takes a tenth of the time.
Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load(text: str) -> Any:
    return yaml.load(text, Loader)


HEALTH = (KIND / "health.lua").read_text()
DISCOVERY = (KIND / "actions" / "discovery.lua").read_text()
HEALTH_TESTS: list[dict[str, Any]] = load((KIND / "health_test.yaml").read_text())["tests"]
ACTION_TESTS = load((KIND / "actions" / "action_test.yaml").read_text())
engines = pytest.mark.parametrize("engine", [STRICT, OPEN])


def action(name: str) -> str:
    return (KIND / "actions" / name / "action.lua").read_text()


def read(path: Path) -> Any:
    """What a file contains, as a copy that the test may change."""
    return pickle.loads(_read(path))


@cache
def _read(path: Path) -> bytes:
    return pickle.dumps(load(path.read_text()))


def test_committed_testdata_is_what_decisions_produce() -> None:
    assert stale() == []


@engines
@pytest.mark.parametrize("test", HEALTH_TESTS, ids=lambda t: Path(t["inputPath"]).stem)
def test_health(test: dict[str, Any], engine: str) -> None:
    assert run(HEALTH, read(KIND / test["inputPath"]), engine) == test["healthStatus"]


@engines
@pytest.mark.parametrize(
    "test", ACTION_TESTS["discoveryTests"], ids=lambda t: Path(t["inputPath"]).stem
)
def test_discovery(test: dict[str, Any], engine: str) -> None:
    made = read(KIND / "actions" / test["inputPath"])
    offers = run(DISCOVERY, made, engine)
    assert [{"name": name, **offers[name]} for name in ACTIONS] == test["result"]
    assert len(offers) == len(ACTIONS)


@engines
@pytest.mark.parametrize(
    "test",
    ACTION_TESTS["actionTests"],
    ids=lambda t: f"{t['action']}-{Path(t['inputPath']).stem}",
)
def test_action(test: dict[str, Any], engine: str) -> None:
    made = read(KIND / "actions" / test["inputPath"])
    if "expectedErrorMessage" in test:
        with pytest.raises(LuaFailed) as failed:
            run(action(test["action"]), made, engine)
        assert str(failed.value) == test["expectedErrorMessage"]
    else:
        expected = read(KIND / "actions" / test["expectedOutputPath"])
        assert run(action(test["action"]), made, engine) == expected


@engines
@pytest.mark.parametrize("name", SCENARIOS)
def test_every_offered_action_writes_one_annotation_and_nothing_else(
    name: str, engine: str
) -> None:
    made = read(KIND / "testdata" / f"{name}.yaml")
    made["metadata"]["annotations"] = {"argocd.argoproj.io/tracking-id": "x"}
    made["spec"].update({"lists": [], "maps": {}, "deep": {"in": [{"empty": {}}]}})
    for command in SCENARIOS[name].offered:
        after = run(action(command), made, engine)
        wanted = acted(made, command)["metadata"]["annotations"]
        patch = merge_patch(made, after)
        assert patch == {
            "metadata": {"annotations": {key: wanted[key] for key in patch_keys(patch)}}
        }
        assert patch_keys(patch) == [f"canarium.dev/{command}"]


def patch_keys(patch: dict[str, Any]) -> list[str]:
    return list(patch["metadata"]["annotations"])


@engines
def test_same_action_again_has_another_token(engine: str) -> None:
    made = read(KIND / "testdata" / "progressing_step_pause.yaml")
    once = run(action("promote"), made, engine)
    # The API server gives the written object a resourceVersion that no earlier one had.
    once["metadata"]["resourceVersion"] = "5000"
    again = run(action("promote"), once, engine)
    assert again["metadata"]["annotations"] != once["metadata"]["annotations"]


@engines
@pytest.mark.parametrize(
    "damage",
    [
        {},
        {"status": {}},
        {"metadata": {"generation": 1}, "status": {"observedGeneration": 1}},
        {
            "metadata": {"generation": 1},
            "status": {"observedGeneration": 1, "conditions": [{}, "x"]},
        },
        {"status": "text", "spec": None},
        {"metadata": {"generation": 1}, "status": {"observedGeneration": 1, "message": 5}},
    ],
    ids=str,
)
def test_object_that_lacks_fields_is_progressing(damage: dict[str, Any], engine: str) -> None:
    assert run(HEALTH, damage, engine)["status"] == "Progressing"


@engines
def test_strict_engine_lacks_what_argo_cd_lacks(engine: str) -> None:
    script = "return {math = math ~= nil, sub = pcall(function() return ('x'):sub(1) end)}"
    opened = engine == OPEN
    assert run(script, {}, engine) == {"math": opened, "sub": opened}


def test_config_map_carries_the_same_scripts() -> None:
    data = read(ARGOCD / "argocd-cm.yaml")["data"]
    actions = load(data["resource.customizations.actions.canarium.dev_ModelDeployment"])
    assert data["resource.customizations.health.canarium.dev_ModelDeployment"] == HEALTH
    assert actions["discovery.lua"] == DISCOVERY
    assert {d["name"]: d["action.lua"] for d in actions["definitions"]} == {
        name: action(name) for name in ACTIONS
    }
    assert set(ICONS) == set(ACTIONS)
    assert displayed({}, "undo")
