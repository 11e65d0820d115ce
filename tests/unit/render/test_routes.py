"""Routes against their golden files, and the few rules that hold for all of them."""

from __future__ import annotations

import pytest

from canarium.render.gateway import duration
from render.routes import CANDIDATE, CASES, FOLDER, STABLE, rendered, text

rule = pytest.mark.rule


@pytest.mark.parametrize("case", CASES)
def test_route_renders_its_golden_file(case: str) -> None:
    assert text(case) == (FOLDER / f"{case}.yaml").read_text()


def test_every_golden_file_has_its_case() -> None:
    assert {path.stem for path in FOLDER.glob("*.yaml")} == set(CASES)


@rule("R2", "R14")
@pytest.mark.parametrize("case", CASES)
def test_callers_service_is_never_a_backend_and_weights_make_a_hundred(case: str) -> None:
    route, _ = rendered(case)
    if route["kind"] == "VirtualService":
        (*_, last) = route["spec"]["http"]
        assert sum(to["weight"] for to in last["route"]) == 100
        assert "fraud" not in {to["destination"]["host"] for to in last["route"]}
        return
    rest, *_ = route["spec"]["rules"]
    assert sum(ref["weight"] for ref in rest["backendRefs"]) == 100
    for one in route["spec"]["rules"]:
        names = {ref["name"] for ref in one["backendRefs"]}
        assert names <= {f"fraud-{STABLE}", f"fraud-{CANDIDATE}"}


@rule("R6")
@pytest.mark.parametrize("case", CASES)
def test_default_rule_is_first_with_and_without_a_candidate(case: str) -> None:
    route, _ = rendered(case)
    if route["kind"] == "VirtualService":
        return  # Istio takes the first that matches.
    first, *others = route["spec"]["rules"]
    assert not any("headers" in match for match in first.get("matches", ()))
    assert all("headers" in match for one in others for match in one["matches"])


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("1m30.5s", "1m30s500ms"),
        ("90s", "1m30s"),
        ("500ms", "500ms"),
        ("0s", "0s"),
        ("1.5h", "1h30m"),
    ],
)
def test_duration_has_the_format_of_the_gateway_api(ours: str, theirs: str) -> None:
    assert duration(ours) == theirs
