"""Bills of materials: the locked packages of each image, and what the Dockerfile adds to them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from release import bill
from release.version import Unusable

ROOT = Path(__file__).parents[2]
DIGEST = "sha256:" + "a" * 64
PINNED = f"docker.io/library/python:3.13.7-slim-trixie@{DIGEST}"


@pytest.fixture(scope="module")
def bills(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What `make sbom` writes with a base image that is pinned by digest, by image."""
    folder = tmp_path_factory.mktemp("bills")
    subprocess.run(["make", "-s", ".venv-sbom/.ready"], cwd=ROOT, check=True)
    shutil.copy(ROOT / "Makefile", folder)
    for name in ("pyproject.toml", "requirements", ".venv-sbom", "charts", "dev", "Dockerfile"):
        (folder / name).symlink_to(ROOT / name)
    build = f"BUILD=--build-arg PYTHON={PINNED}"
    subprocess.run(["make", "-s", "sbom", build], cwd=folder, check=True, capture_output=True)
    return {
        path.name.removesuffix(".cdx.json"): json.loads(path.read_text())
        for path in (folder / "dist").iterdir()
    }


def versions(body: dict[str, Any], *kinds: str) -> dict[str, str]:
    """Component → version, of the components of these types."""
    return {one["name"]: one["version"] for one in body["components"] if one["type"] in kinds}


def test_bill_of_each_image_names_exactly_the_locked_packages(
    bills: dict[str, dict[str, Any]],
) -> None:
    locks = dict(re.findall(r"(?m)^LOCK\.(\S+) := (\S+)$", (ROOT / "Makefile").read_text()))
    assert set(bills) == set(locks)
    for image, lock in locks.items():
        found = {f"{name}=={v}" for name, v in versions(bills[image], "library").items()}
        text = (ROOT / "requirements" / f"{lock}.txt").read_text()
        assert found == set(re.findall(r"(?m)^([a-z0-9_.-]+==[^\s;]+)", text)), image


def test_bill_of_each_image_names_its_base_its_interpreter_and_its_programs(
    bills: dict[str, dict[str, Any]],
) -> None:
    [kubectl] = re.findall(r"(?m)^ARG KUBECTL=(\S+):v(\S+)$", (ROOT / "Dockerfile").read_text())
    base = {"cpython": "3.13.7", "debian": "trixie"}
    python = {"docker.io/library/python": "3.13.7-slim-trixie"}
    kinds = ("application", "operating-system", "container")
    for image, body in bills.items():
        expected = base | python
        if image == "canarium-cli":
            expected = expected | {"kubectl": kubectl[1], kubectl[0]: f"v{kubectl[1]}"}
        assert versions(body, *kinds) == expected, image
        references = [one["bom-ref"] for one in body["components"]]
        assert len(references) == len(set(references)), image


def test_bill_has_the_digest_of_the_base_image(bills: dict[str, dict[str, Any]]) -> None:
    [image] = [one for one in bills["canarium"]["components"] if one["type"] == "container"]
    assert image["hashes"] == [{"alg": "SHA-256", "content": "a" * 64}]
    assert image["purl"] == (
        f"pkg:oci/python@sha256%3A{'a' * 64}?repository_url=docker.io/library/python"
        "&tag=3.13.7-slim-trixie"
    )


def test_components_follow_the_dockerfile_without_options() -> None:
    text = (ROOT / "Dockerfile").read_text()
    [(python, suite)] = re.findall(r"(?m)^ARG PYTHON=\S+:([\d.]+)-slim-(\w+)$", text)
    added = list(bill.components(bill.bases(text, []), kubectl=False))
    found = versions({"components": added}, "application", "operating-system")
    assert found == {"cpython": python, "debian": suite}
    assert not any("hashes" in one for one in added)


@pytest.mark.parametrize("options", [["--build-arg", "PYTHON=a:1"], ["--build-arg=PYTHON=a:1"]])
def test_options_of_docker_build_replace_the_base_image(options: list[str]) -> None:
    text = "ARG PYTHON=b:2\nARG KUBECTL=k:v3\n"
    assert bill.bases(text, options) == {"PYTHON": "a:1", "KUBECTL": "k:v3"}
    assert bill.bases(text, ["--label", "PYTHON=a:1"])["PYTHON"] == "b:2"


@pytest.mark.parametrize(
    ("python", "reason"),
    [("python", "not NAME:TAG"), ("python:3.13", "does not state Python and Debian")],
)
def test_base_image_without_versions_is_refused(python: str, reason: str) -> None:
    with pytest.raises(Unusable, match=f"PYTHON={python}: .*{reason}"):
        list(bill.components({"PYTHON": python, "KUBECTL": "k:v1"}, kubectl=False))


def test_dockerfile_without_its_arguments_is_refused() -> None:
    with pytest.raises(Unusable, match="no line `ARG KUBECTL="):
        bill.bases("ARG PYTHON=python:3\n", [])


def test_bill_that_was_completed_before_has_each_component_once() -> None:
    added = list(bill.components({"PYTHON": PINNED, "KUBECTL": "k:v1"}, kubectl=True))
    once = bill.complete({"components": []}, added)
    assert bill.complete(once, added) == once
