"""Values: every one is proven by a unit test of the chart, and every wrong one is refused."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from chart.rendering import CHART, helm, refusal, render
from generators import values
from sandbox import binaries


def test_linter_finds_nothing() -> None:
    done = helm("lint", "--strict", str(CHART))
    assert done.returncode == 0, done.stdout
    assert "0 chart(s) failed" in done.stdout


def test_unit_tests_of_the_chart_pass() -> None:
    tool = str(binaries.find("helm-unittest"))
    done = subprocess.run(
        [tool, "--strict", str(CHART)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    assert "Tests:" in done.stdout


def paths_set() -> Iterator[str]:
    """Dotted paths of all values that the chart's unit tests set."""

    def walk(above: str, value: Any) -> Iterator[str]:
        yield above
        if isinstance(value, dict):
            for key, below in value.items():
                yield from walk(f"{above}.{key}", below)

    for suite in sorted((CHART / "tests").glob("*_test.yaml")):
        for test in yaml.safe_load(suite.read_text())["tests"]:
            for key, value in (test.get("set") or {}).items():
                yield from walk(key, value)


def test_every_value_is_set_by_a_unit_test() -> None:
    known = values.read(CHART / "values.yaml")
    leaves = {".".join(leaf.path) for value in known for leaf in value.leaves()}
    assert leaves - set(paths_set()) == set()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("replica=3", "additional properties 'replica' not allowed"),
        ("image.tags=\"1\"", "additional properties 'tags' not allowed"),
        ("metrics.serviceMonitor.enable=true", "additional properties 'enable' not allowed"),
        ("crds.keeps=true", "additional properties 'keeps' not allowed"),
        ("resources.limit={}", "additional properties 'limit' not allowed"),
        ("replicas=\"two\"", "got string, want integer"),
        ("imageRegistry=\"https://registry.test\"", "does not match pattern"),
        ("readinessProbe.httpGet={}", "additional properties 'httpGet' not allowed"),
        ("leaderElection.retryPeriod=0", "exclusiveMinimum: got 0, want 0"),
        ("replicas=-1", "minimum: got -1, want 0"),
        ("image.pullPolicy=\"Sometimes\"", "'Always', 'IfNotPresent', 'Never'"),
        ("image.digest=\"latest\"", "does not match pattern"),
        ("logging.format=\"xml\"", "'text', 'json'"),
        ("logging.level=\"LOUD\"", "'DEBUG', 'INFO', 'WARNING', 'ERROR'"),
        ("clusterName=\"prod eu\"", "does not match pattern"),
        ("scope.namespaces=[\"Risk\"]", "does not match pattern"),
        ("workloadIdentity.aws=[\"*.amazonaws.com\"]", "does not match pattern"),
        ("workloadIdentity.google=[\"https://a.test\"]", "does not match pattern"),
        ("workloadIdentity.gcp=[]", "additional properties 'gcp' not allowed"),
        ("scope.namespaces=[\"a\",\"a\"]", "items at 0 and 1 are equal"),
        *(
            (
                f'notifications.sinks=[{{"name":"ci","cloudEvents":{{"url":"https://{host}/"}}}}]',
                "does not match pattern",
            )
            for host in ("ci.test:port", "ci.test:0", "ci.test:65536", "..")
        ),
    ],
)  # fmt: skip
def test_wrong_value_is_refused_with_its_path(wrong: str, said: str) -> None:
    answer = refusal(wrong)
    assert said in answer
    path = wrong.split("=")[0].replace(".", "/")
    parent = path.rpartition("/")[0]
    assert f"at '/{path}" in answer or f"at '/{parent}'" in answer or "at ''" in answer


def test_no_group_of_values_is_open() -> None:
    def walk(path: str, node: dict[str, Any]) -> Iterator[str]:
        if node.get("type") == "object" and "properties" in node:
            if node.get("additionalProperties") is not False:
                yield path
            for name, child in node["properties"].items():
                yield from walk(f"{path}/{name}", child)

    root = json.loads((CHART / "values.schema.json").read_text())
    assert list(walk("", root)) == []


def test_chart_can_be_a_dependency() -> None:
    """Helm then adds `global`, and the parent may use `enabled` as its condition."""
    assert render('global={"imageRegistry":"a"}', "enabled=true")


def test_value_without_a_description_is_an_error(tmp_path: Any) -> None:
    path = tmp_path / "values.yaml"
    path.write_text("# Fine.\na: 1\n\nb: 2\n")
    with pytest.raises(ValueError, match="b: no description"):
        values.read(path)


def test_chart_has_no_hooks_but_its_test_and_no_lookups() -> None:
    """Hooks run at every sync of Argo CD, but for tests; `lookup` renders differently there."""
    for path in (CHART / "templates").rglob("*"):
        if path.is_file():
            text = path.read_text()
            hooks = set(re.findall(r"helm\.sh/hook: (\S+)", text))
            assert hooks <= {"test"}, path
            assert bool(hooks) == (path.name == "_names.tpl" and path.parent.name == "test"), path
            assert "lookup" not in text, path
            assert "WebhookConfiguration" not in text, path
