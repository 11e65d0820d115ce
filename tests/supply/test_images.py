"""`make images`, `push` and `kind-load`, against programs that note how they are called.

No Docker runs where the tests run: what the images contain is not tested here.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "canarium"
VERSION = yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"]


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A folder with `docker` and `kind` that append their arguments to `calls`."""
    for name in ("docker", "kind"):
        program = tmp_path / name
        program.write_text(f'#!/bin/sh\necho "{name} $*" >> {tmp_path}/calls\n')
        program.chmod(0o755)
    return tmp_path


def make(tools: Path, *words: str) -> tuple[list[str], subprocess.CompletedProcess[str]]:
    """Runs make with these tools first on the PATH; the calls of the tools, in order."""
    done = subprocess.run(
        ["make", "--no-print-directory", *words],
        cwd=ROOT,
        env={"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}", "HOME": str(tools)},
        capture_output=True,
        text=True,
        check=False,
    )
    calls = tools / "calls"
    return calls.read_text().splitlines() if calls.exists() else [], done


def named_by_the_chart() -> dict[str, str]:
    """Repository of each image that the chart's values name, by its last part."""
    found = re.findall(r"repository: (\S+)", (CHART / "values.yaml").read_text())
    return {name.rpartition("/")[2]: name for name in found}


def test_every_image_of_the_chart_is_built_from_its_lock(tools: Path) -> None:
    calls, done = make(tools, "images")
    assert done.returncode == 0, done.stderr
    tags = {call.split(" -t ")[1].split()[0] for call in calls}
    assert tags == {f"{name}:{VERSION}" for name in named_by_the_chart().values()}
    for call in calls:
        target = "--target cli " if "/canarium-cli:" in call else ""
        assert call.startswith(f"docker build {target}--build-arg LOCK=")
        assert call.endswith(" .")
        lock = re.search(r"LOCK=(\S+)", call)
        assert lock
        assert (ROOT / "requirements" / f"{lock[1]}.txt").exists()
    documented = re.findall(r"LOCK=(\w+) -t ([\w-]+)", (ROOT / "Dockerfile").read_text())
    assert documented
    for lock, name in documented:
        assert any(f"LOCK={lock} " in call and f"/{name}:" in call for call in calls)


def test_platform_and_selection_are_passed_on(tools: Path) -> None:
    calls, _ = make(tools, "images", "IMAGES=canarium-fetch", "PLATFORM=linux/arm64")
    [call] = calls
    assert "build --platform linux/arm64 --build-arg LOCK=fetch" in call


def test_options_of_docker_build_are_passed_on(tools: Path) -> None:
    calls, _ = make(tools, "images", "IMAGES=canarium", "BUILD=--build-arg PYTHON=python:own")
    [call] = calls
    assert call.startswith("docker build --build-arg PYTHON=python:own --build-arg LOCK=runtime ")


def test_push_tags_every_image_for_the_registry_and_prints_the_values(tools: Path) -> None:
    calls, done = make(tools, "push", "REGISTRY=registry.example.org/ml")
    assert done.returncode == 0, done.stderr
    for name, repository in named_by_the_chart().items():
        target = f"registry.example.org/ml/{name}:{VERSION}"
        tag, push = f"docker tag {repository}:{VERSION} {target}", f"docker push {target}"
        [built] = [i for i, call in enumerate(calls) if f" -t {repository}:" in call]
        assert built < calls.index(tag) < calls.index(push)
        assert f"registry.example.org/ml/{name}" in done.stdout
    for key in re.findall(r"([\w.]+)=registry", done.stdout):
        value = yaml.safe_load((CHART / "values.yaml").read_text())
        for part in key.split("."):
            value = value[part]
        assert value in named_by_the_chart().values()


def test_push_without_a_registry_is_refused(tools: Path) -> None:
    calls, done = make(tools, "push")
    assert done.returncode != 0
    assert "usage: make push REGISTRY=" in done.stderr
    assert calls == []


def test_all_images_are_loaded_into_the_named_cluster(tools: Path) -> None:
    calls, done = make(tools, "kind-load", "KIND_CLUSTER=other")
    assert done.returncode == 0, done.stderr
    builds, [call] = calls[:-1], calls[-1:]
    assert len(builds) == len(named_by_the_chart())
    assert call.startswith("kind load docker-image --name other ")
    assert set(call.split()[5:]) == {f"{x}:{VERSION}" for x in named_by_the_chart().values()}
