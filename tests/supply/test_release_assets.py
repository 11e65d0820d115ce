"""The files of a release: complete, checked by their sums, and the same objects as the chart."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from canarium import VERSION
from release import artifacthub, assets, krew
from release.version import Unusable
from sandbox import clients

ROOT = Path(__file__).parents[2]
REGISTRY = "registry.example.org/ml"


@pytest.fixture(scope="module")
def helm() -> str:
    return str(clients.find("helm"))


@pytest.fixture(scope="module")
def folder(helm: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("dist")
    (made / "canarium-9-py3-none-any.whl").write_bytes(b"a wheel that was built before")
    assets.write(VERSION, made, helm, REGISTRY)
    return made


def objects(text: str) -> list[dict[str, Any]]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return [body for body in yaml.load_all(text, loader) if body]


def names(bodies: list[dict[str, Any]]) -> set[tuple[str, str]]:
    return {(body["kind"], body["metadata"]["name"]) for body in bodies}


def test_checksums_cover_every_file(folder: Path) -> None:
    done = subprocess.run(
        ["sha256sum", "--check", "--strict", assets.SUMS],
        cwd=folder, capture_output=True, text=True, check=True,
    )  # fmt: skip
    checked = {line.partition(":")[0] for line in done.stdout.splitlines()}
    assert checked == {path.name for path in folder.iterdir()} - {assets.SUMS}
    assert len(checked) == 5


def test_install_manifest_has_the_objects_of_the_chart_after_their_namespace(
    folder: Path, helm: str
) -> None:
    bodies = objects((folder / "install.yaml").read_text())
    assert (bodies[0]["kind"], bodies[0]["metadata"]["name"]) == ("Namespace", assets.NAMESPACE)
    packed = subprocess.run(
        [helm, "template", "canarium", str(folder / f"canarium-{VERSION}.tgz"), "--no-hooks"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert names(bodies[1:]) == names(objects(packed.stdout))
    assert ("Deployment", "canarium") in names(bodies)
    namespaced = {b["metadata"]["namespace"] for b in bodies if "namespace" in b["metadata"]}
    assert namespaced == {assets.NAMESPACE}
    assert not any("helm.sh/hook" in b["metadata"].get("annotations", {}) for b in bodies)


def test_install_manifest_names_the_images_of_the_registry(folder: Path, helm: str) -> None:
    text = (folder / "install.yaml").read_text()
    assert f"{REGISTRY}/canarium:{VERSION}" in text
    assert f"{REGISTRY}/canarium-fetch:{VERSION}" in text
    assert "canarium.dev/canarium:" not in text
    unnamed = assets.install_manifest(helm, VERSION, assets.CHART)
    assert f"canarium.dev/canarium:{VERSION}" in unnamed


def test_packed_chart_names_the_images_of_the_registry_for_artifact_hub_too(
    folder: Path, helm: str
) -> None:
    packed = str(folder / f"canarium-{VERSION}.tgz")
    values = subprocess.run(
        [helm, "show", "values", packed], capture_output=True, text=True, check=True
    ).stdout
    assert "canarium.dev/" not in values
    chart = subprocess.run(
        [helm, "show", "chart", packed], capture_output=True, text=True, check=True
    ).stdout
    annotations = yaml.safe_load(chart)["annotations"]
    listed = {one["image"] for one in yaml.safe_load(annotations["artifacthub.io/images"])}
    named = set(re.findall(r"repository: (\S+)", values))
    assert listed == {f"{repository}:{VERSION}" for repository in named}
    assert len(listed) == 5
    assert "artifacthub.io/crdsExamples" in annotations


def test_packed_chart_lists_the_changes_of_the_changelog_for_artifact_hub(
    folder: Path, helm: str
) -> None:
    chart = subprocess.run(
        [helm, "show", "chart", str(folder / f"canarium-{VERSION}.tgz")],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    annotations = yaml.safe_load(chart)["annotations"]
    changes = yaml.safe_load(annotations["artifacthub.io/changes"])
    section = (folder / "notes.md").read_text()
    assert len(changes) == len(re.findall(r"(?m)^- ", section)) > 20
    assert {change["kind"] for change in changes} == {"added"}
    assert not any("](" in change["description"] for change in changes)
    # It names a PGP key, and there is none.
    assert "artifacthub.io/signKey" not in annotations


def test_changes_for_artifact_hub_have_the_kinds_of_their_headings() -> None:
    section = (
        "A sentence.\n\n### Added\n\n- First,\n  with [a link](docs/page.md).\n- Second.\n\n"
        "### Fixed\n\n- Third: `a: b`.\n\n### Traffic\n\n- Fourth.\n"
    )
    text = "annotations:\n" + artifacthub.added([("canarium", "r.example/canarium:1")], section)
    annotations = yaml.safe_load(text)["annotations"]
    assert yaml.safe_load(annotations["artifacthub.io/changes"]) == [
        {"kind": "added", "description": "First, with a link."},
        {"kind": "added", "description": "Second."},
        {"kind": "fixed", "description": "Third: `a: b`."},
        {"kind": "added", "description": "Fourth."},
    ]
    assert yaml.safe_load(annotations["artifacthub.io/images"]) == [
        {"name": "canarium", "image": "r.example/canarium:1"}
    ]


def unpacked(folder: Path, into: Path) -> Path:
    """The packed chart of a release as a folder."""
    archive = folder / f"canarium-{VERSION}.tgz"
    subprocess.run(["tar", "xzf", str(archive), "-C", str(into)], check=True)
    return into / "canarium"


def test_packed_chart_links_to_files_of_its_tag(folder: Path, tmp_path: Path) -> None:
    linked = set()
    for path in unpacked(folder, tmp_path).rglob("*"):
        text = path.read_text() if path.is_file() else ""
        assert not re.search(r"canarium/(?:(?:blob|tree)/)?main/", text), path.name
        linked |= set(re.findall(rf"{krew.HOME}/(?:blob|tree)/v{VERSION}/([^#)\s`\"]+)", text))
    assert {"docs", "docs/install.md", "docs/reference/alerts.md"} <= linked
    assert [name for name in sorted(linked) if not (ROOT / name).exists()] == []


def test_readme_of_the_packed_chart_has_no_relative_link(folder: Path, tmp_path: Path) -> None:
    before = (ROOT / "charts" / "canarium" / "README.md").read_text()
    text = (unpacked(folder, tmp_path) / "README.md").read_text()
    assert text.count("](") == before.count("](") > 0
    assert re.findall(r"\]\((?!https://|#)[^)]*\)", text) == []


def test_runbooks_of_a_release_are_those_of_its_tag(folder: Path, helm: str) -> None:
    rendered = subprocess.run(
        [helm, "template", "canarium", str(folder / f"canarium-{VERSION}.tgz"),
         "--set", "metrics.prometheusRule.enabled=true"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    runbooks = re.findall(r"runbook_url: (\S+)", rendered)
    assert runbooks
    page = f"{krew.HOME}/blob/v{VERSION}/docs/reference/alerts.md#"
    assert [url for url in runbooks if not url.strip("\"'").startswith(page)] == []


def test_crd_bundle_has_every_crd(folder: Path) -> None:
    bundled = objects((folder / "canarium-crds.yaml").read_text())
    single = [yaml.safe_load(path.read_text()) for path in sorted(ROOT.glob("crds/*.yaml"))]
    assert bundled == single


def test_notes_are_the_section_of_the_version(folder: Path) -> None:
    assert "### Rollouts" in (folder / "notes.md").read_text()
    text = "# Changelog\n\n## 1.1.0 (2027-01-01)\n\nNew.\n\n## 1.0.0 (2026-12-01)\n\nOld.\n"
    assert assets.notes(text, "1.1.0") == "New.\n"
    assert assets.notes(text, "1.0.0") == "Old.\n"
    with pytest.raises(Unusable, match=r"no section for 1\.2\.0"):
        assets.notes(text, "1.2.0")


def test_version_that_the_repository_does_not_state_is_refused(tmp_path: Path, helm: str) -> None:
    with pytest.raises(Unusable, match=r"pyproject\.toml.* not 9\.9\.9"):
        assets.write("9.9.9", tmp_path / "dist", helm, None)
    assert not (tmp_path / "dist").exists()
