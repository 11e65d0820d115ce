"""Every YAML block for readers is valid: a manifest has no finding, and the chart takes values.

tests/integration/test_documented_yaml.py sends the manifests to a real API server.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from canarium_cli.main import cli
from chart.rendering import CHART, helm
from support.documented_yaml import OURS, Documented, of_page, whole
from support.pages import FOR_READERS

FOUND = {page: of_page(page) for page in FOR_READERS}
VALUES = [one for found in FOUND.values() for one in found if one.kind == "values"]
MODELS = {
    page: models
    for page, found in FOUND.items()
    if (models := [x.body for x in found if x.kind == "manifest" and OURS in x.body["apiVersion"]])
}


@pytest.mark.parametrize("page", MODELS)
def test_manifests_of_the_page_have_no_finding(page: str, tmp_path: Path) -> None:
    # Each in a file, because several are versions of the same model.
    templates = [body for body in MODELS[page] if body["kind"] != "ModelDeployment"]
    for number, body in enumerate(MODELS[page]):
        path = tmp_path / f"{number}.yaml"
        others = [one for one in templates if one is not body]
        path.write_text(yaml.safe_dump_all([body, *others]))
        done = CliRunner().invoke(cli, ["lint", "--strict", str(path)])
        assert done.exit_code == 0, f"{yaml.safe_dump(body)}\n{done.output}"


@pytest.mark.parametrize("values", VALUES, ids=str)
def test_chart_takes_the_values_of_the_page(values: Documented, tmp_path: Path) -> None:
    path = tmp_path / "values.yaml"
    path.write_text(yaml.safe_dump(values.body))
    done = helm("template", "canarium", str(CHART), "-n", "canarium", "-f", str(path))
    assert done.returncode == 0, done.stderr


def test_block_without_a_purpose_is_an_error() -> None:
    for body in ({"sepc": {}}, {"metrics": {}, "nope": 1}):
        with pytest.raises(ValueError, match="page: neither a manifest nor values"):
            whole(body, "page")


def test_every_kind_of_block_is_known() -> None:
    kinds: dict[str, int] = defaultdict(int)
    for found in FOUND.values():
        for one in found:
            kinds[one.kind] += 1
    assert kinds["manifest"] > 40
    assert kinds["values"] > 10
    assert set(kinds) == {"manifest", "values", "jobs"}
