"""A router is known everywhere, or nowhere; the page for contributors names every place."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any, get_args

import pytest

from canarium.api.effective_traffic import route_kind
from canarium.api.model_deployment import Traffic
from canarium.api.route_kind import RouteKind
from canarium.engine.cache.routes import ROUTES
from canarium.render.routes import RENDERED
from canarium.view import events, objects
from canarium_cli import reads
from canarium_cli.doctor import facts
from canarium_cli.report import collection
from canarium_dashboard import paths

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "contributing" / "adding-a-router.md"
#: A router that the page takes as its example.
EXAMPLE = re.compile("istio|virtual_?service", re.IGNORECASE)
#: Made by `make generate` and `make messages`, or history.
MADE = re.compile(
    r"crds/|tests/golden/|docs/reference/|docs/decisions/|CHANGELOG\.md|.*/go\.sum|"
    r"charts/canarium/(README\.md|values\.schema\.json|templates/crd-)"
)
#: Mentions that have nothing to do with the router, each with the reason.
OTHER = {
    "tests/integration/test_documented_yaml.py": "groups whose YAML no API server here reads",
    "tests/supply/test_start_pages.py": "the version that tests use",
    "tests/crds/test_quality.py": "short names of other kinds",
    "tests/unit/sources/test_gate_jobs.py": "a sidecar in the pod of a Job",
}


def routers() -> dict[str, set[RouteKind]]:
    """The routers with a route, each with its kinds."""
    found: dict[str, set[RouteKind]] = {}
    for router in get_args(get_args(Traffic.model_fields["router"].annotation)[0]):
        protocols = ({}, {"gateway": {"protocol": "GRPC"}})
        kinds = {route_kind({"router": router, **protocol}) for protocol in protocols}
        found[router] = {kind for kind in kinds if kind}
    return {router: kinds for router, kinds in found.items() if kinds}


KINDS = sorted(set().union(*routers().values()))


def resource(kind: RouteKind) -> str:
    """The resource of a kind as kubectl names it, such as httproutes.gateway.networking.k8s.io."""
    return f"{ROUTES[kind].plural}.{kind.group}"


def text(path: str) -> str:
    return (ROOT / path).read_text()


def test_each_router_has_kinds_and_each_kind_has_a_router() -> None:
    assert set(routers()) >= {"Gateway", "Istio"}
    assert set(KINDS) == set(ROUTES) == set(RENDERED)


@pytest.mark.parametrize("router", routers())
def test_router_is_in_the_schema_the_policy_the_doctor_and_the_guide(router: str) -> None:
    field = router.lower()
    assert field in Traffic.model_fields
    crd = text("crds/modeldeployments.yaml")
    assert f"router: {router} and {field} belong together" in crd
    assert facts.ROUTES[router] in {resource(kind) for kind in routers()[router]}
    assert f"variables.router != '{router}'" in text(
        "charts/canarium/templates/routeauthorization.yaml"
    )
    guide = text("docs/guides/traffic.md")
    assert f"router: {router}\n" in guide
    assert f"`{router}`" in text("docs/glossary.md")


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_kind_of_route_is_known_to_command_line_dashboard_and_chart(kind: RouteKind) -> None:
    assert reads.ROUTES[kind.kind] == resource(kind)
    assert resource(kind) in collection._ROUTES
    assert f"/apis/{kind.group}/" in paths.ROUTES[kind.kind]
    assert paths.ROUTES[kind.kind].endswith(f"/{ROUTES[kind].plural}")
    assert kind.kind in objects.ROUTES
    assert kind.kind in events._NAMED_AS_THE_MODEL
    assert any(
        kind.group in rule["apiGroups"] and ROUTES[kind].plural in rule["resources"]
        for rule in rules()
    )
    authorized = f"authorizer.group('{kind.group}').resource('{ROUTES[kind].plural}')"
    assert authorized in text("charts/canarium/templates/routeauthorization.yaml")


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_kind_of_route_is_in_generated_facts_golden_files_and_simulations(kind: RouteKind) -> None:
    constant = next(
        line.partition(" ")[0]
        for line in text("operator/canarium/api/route_kind.py").splitlines()
        if line.endswith(f'RouteKind("{kind.group}", "{kind.kind}")')
    )
    assert constant in text("tests/unit/core/any_facts.py")
    golden = "".join(
        path.read_text() for path in (ROOT / "tests" / "golden" / "routes").glob("*.yaml")
    )
    assert re.search(rf"(?m)^apiVersion: {re.escape(kind.group)}/\S+\nkind: {kind.kind}$", golden)
    assert f"resources.{constant}S," in text("tests/simulation/server.py")


def test_page_names_every_file_that_mentions_the_router_of_the_example() -> None:
    page = PAGE.read_text()
    missing = [path for path in mentions() if path not in OTHER and not stated(path, page)]
    assert missing == [], "name them in docs/contributing/adding-a-router.md, or in OTHER"


def test_page_names_only_files_that_exist_and_every_exception_is_one() -> None:
    named_files = set(re.findall(r"`([\w./-]+\.(?:py|yaml|tpl|md|mod))`", PAGE.read_text()))
    assert len(named_files) > 50
    lost = {name for name in named_files if not exists(name)}
    assert lost == set()
    assert set(OTHER) <= set(mentions())


def mentions() -> list[str]:
    """All files that mention the router of the example, except those that are made or history."""
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    own = {PAGE.relative_to(ROOT).as_posix(), Path(__file__).relative_to(ROOT).as_posix()}
    return [
        path
        for path in listed.stdout.splitlines()
        if path not in own
        and not MADE.match(path)
        and (ROOT / path).suffix in (".py", ".yaml", ".tpl", ".md", ".mod")
        and EXAMPLE.search(text(path))
    ]


def stated(path: str, page: str) -> bool:
    """Whether the page names a file: whole, below the operator's package, or by a link."""
    short = path.removeprefix("operator/canarium/")
    link = "../" + path.removeprefix("docs/")
    return f"`{path}`" in page or f"`{short}`" in page or f"({link})" in page


def exists(name: str) -> bool:
    bases = (
        ROOT,
        ROOT / "operator" / "canarium",
        ROOT / "operator" / "canarium" / "core" / "facts",
    )
    return any((base / name).is_file() for base in bases)


def rules() -> list[dict[str, Any]]:
    """The rules of the operator in one namespace, without those that depend on values."""
    blocks = re.findall(
        r"(?m)^- apiGroups: \[(.*?)\]\n  resources: \[(.*?)\]$",
        text("charts/canarium/templates/_names.tpl"),
    )
    return [
        {"apiGroups": groups.split(", "), "resources": resources.split(", ")}
        for groups, resources in blocks
    ]
