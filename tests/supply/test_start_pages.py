"""The pages that a newcomer reads first: their commands and manifests are valid.

e2e/test_getting_started.py runs the commands of docs/getting-started.md.
"""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from canarium.render.runtime_adaptation import adapted
from chart.rendering import helm, load, rendered_text
from sandbox import binaries
from support import docs
from support.docs import commands
from support.pages import FOR_READERS

ROOT = Path(__file__).parents[2]
EXAMPLE = yaml.safe_load((ROOT / "examples" / "models" / "fraud-v1.yaml").read_text())
INSTALLS = [line for line in commands("docs/install.md") if line.startswith("helm upgrade")]
#: Of every page: what installs or renders the chart.
RENDERING = [
    (page, line)
    for page in FOR_READERS
    for line in commands(page)
    if line.startswith(("helm upgrade --install", "helm template"))
]


def blocks(page: str) -> list[dict[str, Any]]:
    """The YAML documents of a page."""
    texts = re.findall(r"(?ms)^```yaml\n(.*?)^```", (ROOT / page).read_text())
    return [yaml.safe_load(text) for text in texts]


def within(part: Any, whole: Any) -> bool:
    """Whether every field of `part` has the same value in `whole`."""
    if isinstance(part, dict):
        return all(key in whole and within(value, whole[key]) for key, value in part.items())
    return bool(part == whole)


@pytest.mark.parametrize(("page", "command"), RENDERING)
def test_command_of_the_page_renders_the_chart(page: str, command: str, tmp_path: Path) -> None:
    words = shlex.split(command)[1:]
    rest = words[words.index("canarium") :]
    assert rest[:2] == ["canarium", "charts/canarium"]
    values = tmp_path / "values.yaml"
    if "values.yaml" in rest:
        [found] = [body for body in blocks(page) if "imagePullSecrets" in body]
        values.write_text(yaml.safe_dump(found))
    # What helm knows only with a cluster.
    live = ("--create-namespace", "--wait", "--reuse-values")
    kept = [str(values) if word == "values.yaml" else word for word in rest[2:]]
    kept = [word for word in kept if word not in live]
    done = helm("template", "canarium", str(ROOT / "charts" / "canarium"), *kept)
    assert done.returncode == 0, done.stderr
    kinds = {body["kind"] for body in load(done.stdout)}
    if words[0] == "upgrade":
        assert {"CustomResourceDefinition", "Deployment", "ServiceAccount"} <= kinds
    else:
        assert kinds == {"PrometheusRule"}
    for word in re.findall(r"registry\.example\.org/ml/[\w-]+", command):
        assert word in done.stdout


def test_install_page_has_commands_for_a_registry_values_and_namespaces() -> None:
    assert [("image.repository" in c, "-f values" in c, "scope." in c) for c in INSTALLS] == [
        (True, False, False),
        (False, True, False),
        (False, False, True),
    ]


def test_first_manifest_is_the_example_that_runs_without_changes() -> None:
    [model] = blocks("docs/getting-started.md")
    assert within(model, EXAMPLE)
    [model] = blocks("README.md")
    assert model["spec"]["rollout"].pop("strategy") == "Canary"
    assert within(model, EXAMPLE)


def test_server_image_of_the_readme_is_that_of_the_runtime() -> None:
    runtime = yaml.safe_load(
        (ROOT / "operator" / "canarium" / "runtimes" / "mlserver-sklearn.yaml").read_text()
    )
    assert runtime["spec"]["image"] in (ROOT / "README.md").read_text()


def test_packages_of_the_readme_are_those_of_a_bare_machine_in_continuous_integration() -> None:
    [install] = [line for line in docs.blocks("README.md") if line.startswith("apt-get")]
    workflow = (ROOT / ".github" / "workflows" / "ci.yaml").read_text()
    assert install in workflow


@pytest.mark.parametrize(
    "page", ["README.md", "CONTRIBUTING.md", "docs/getting-started.md", "docs/install.md"]
)
def test_every_target_that_a_page_names_is_in_the_makefile(page: str) -> None:
    makefile = (ROOT / "Makefile").read_text()
    lines = [*docs.blocks(page), *re.findall(r"`(make [^`]+)`", (ROOT / page).read_text())]
    used = {word for line in lines if line.startswith("make ") for word in targets(line)}
    assert used
    assert {target for target in used if not re.search(rf"(?m)^{target}:", makefile)} == set()


def targets(line: str) -> list[str]:
    """The targets in a command of make, without variables and comments."""
    words = shlex.split(line, comments=True)[1:]
    return [word for word in words if "=" not in word]


def test_mirror_of_the_install_page_gives_every_runtime_the_image_that_it_states() -> None:
    text = (ROOT / "docs" / "install.md").read_text()
    [values] = [body for body in blocks("docs/install.md") if "runtimes" in body]
    registry = values["runtimes"]["imageRegistry"]
    argument = f"--runtime-image-registry={registry}"
    assert argument in rendered_text(f"runtimes={json.dumps(values['runtimes'])}")
    assert f"`{adapted(registry)['mlserver-sklearn'].spec['image']}`" in text


def test_comparison_counts_the_sources_of_checks() -> None:
    crd = " ".join((ROOT / "crds" / "modeldeployments.yaml").read_text().split())
    [names] = {*re.findall(r"set exactly one of (metric[\w, ]+replay)", crd)}
    # The first two read the pods.
    sources = {*re.findall(r"\w+", names)} - {"and", "series"}
    page = (ROOT / "docs" / "comparison.md").read_text()
    [(count, named)] = re.findall(r"\| Metric providers \| (\d+): ([^;|]+)", page)
    assert int(count) == len(sources) == len(named.split(", "))


def test_supported_versions_are_those_of_the_tests() -> None:
    page = (ROOT / "docs" / "reference" / "supported-versions.md").read_text()
    tested = dict(re.findall(r"(?m)^\| ([^|]+?) \| [^|]+ \| ([^|]+?) \|$", page))
    chart = yaml.safe_load((ROOT / "charts" / "canarium" / "Chart.yaml").read_text())
    [oldest] = re.findall(r">=([\d.]+)\.0-0", chart["kubeVersion"])
    assert f"| Kubernetes | {oldest} or newer |" in page
    assert f"Canarium {chart['appVersion']} " in page
    older = (ROOT / "tests" / "integration" / "test_older_api_server.py").read_text()
    [emulated] = re.findall(r"--emulated-version=([\d.]+)", older)
    newest = binaries.version(binaries.TOOLS["kube-apiserver"])
    assert tested["Kubernetes"] == f"{newest}, and an API server with the API of {emulated}"
    for title, folder, module in (
        ("Gateway API, by Contour", "sandbox/go/contour", "github.com/projectcontour/contour"),
        (
            "Gateway API, by Envoy Gateway",
            "sandbox/go/envoy-gateway",
            "github.com/envoyproxy/gateway",
        ),
        ("Argo CD", "sandbox/go/argocd", "github.com/argoproj/argo-cd/v3"),
        ("Istio", "tests/integration/istio", "istio.io/api"),
    ):
        required = (ROOT / folder / "go.mod").read_text()
        [version] = re.findall(rf"(?m)^(?:require)?\s*{re.escape(module)} (v\S+)", required)
        assert tested[title].split(",")[0] == version
