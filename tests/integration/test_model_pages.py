"""Pages about one source, framework or check: their commands give the described result.

Pods are simulated, so nothing is fetched: e2e/test_fetching.py fetches from each source, and
e2e/test_model_servers.py runs servers.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from integration.conftest import ROOT, Cluster
from integration.desk import Desk
from support.documented_yaml import of_page
from support.walk import walk

GUIDES = ROOT / "docs" / "guides"
#: Every page has to be here: tests/supply/test_documented_commands.py compares.
SOURCES = (
    *("azure.md", "gcs.md", "http.md", "huggingface.md", "image.md", "oci.md", "pvc.md", "s3.md"),
)
FRAMEWORKS = (
    *("bentoml.md", "custom.md", "lightgbm.md", "litserve.md", "llama-cpp.md", "mlflow.md"),
    *("ray.md", "sklearn.md", "tensorflow.md", "triton.md", "vllm.md", "xgboost.md"),
)
CHECKS = ("bounds.md", "prometheus.md", "recorded-requests.md", "smoke-tests.md", "web.md")
PAGES = [
    *(f"docs/guides/sources/{name}" for name in SOURCES),
    *(f"docs/guides/frameworks/{name}" for name in FRAMEWORKS),
    *(f"docs/guides/checks/{name}" for name in CHECKS),
]
_CLAIM = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "models"},
    "spec": {
        "accessModes": ["ReadWriteMany"],
        "resources": {"requests": {"storage": "1Gi"}},
        "storageClassName": "",
    },
}


@pytest.mark.parametrize("page", PAGES)
async def test_commands_of_the_page_have_the_described_result(
    cluster: Cluster, tmp_path: Path, page: str
) -> None:
    desk = Desk.of(cluster, tmp_path)
    [model, *_] = [one.body for one in of_page(page) if one.kind == "manifest"]
    (desk.folder / "model.yaml").write_text(yaml.safe_dump(model))
    # What the pages require.
    (desk.folder / "service-account.json").write_text("{}")
    (desk.folder / "requests.jsonl").write_text("{}")
    words = ("-n", cluster.namespace, "apply", "-f", "-")
    cluster.plane.kubectl(*words, stdin=yaml.safe_dump(_CLAIM))
    for block in walk(page):
        printed = ""
        for command in block.commands:
            done = await desk.follow(desk.here(command))
            assert done.code == 0, f"{command}\n{done.text}"
            printed += done.text
        if block.expected:
            assert block.matches(printed), f"{block.expected}\nprinted:\n{printed}"


def test_every_page_is_tested() -> None:
    pages = (
        path for name in ("sources", "frameworks", "checks") for path in GUIDES.glob(f"{name}/*")
    )
    assert {path.relative_to(ROOT).as_posix() for path in pages} == {*PAGES}
