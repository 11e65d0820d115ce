"""Messages of validators: complete, and each names the field and what is right."""

from __future__ import annotations

import re

import pytest

from core import validation_messages
from core.validation_messages import SPECIMENS, Validator, refusal, rules, schemas

#: Keywords of a schema that reject no value by themselves.
OTHERS = frozenset(
    {
        "additionalProperties",
        "default",
        "description",
        "format",
        "items",
        "properties",
        "x-kubernetes-int-or-string",
        "x-kubernetes-list-map-keys",
        "x-kubernetes-list-type",
        "x-kubernetes-map-type",
        "x-kubernetes-preserve-unknown-fields",
        "x-kubernetes-validations",
    }
)
#: What is right: what to set, to remove or to use, or where the field applies.
_REMEDY = re.compile(
    r"\b(?:must|set|keep|remove|use|begin|write|add|requires?|needs?|"
    r"(?:apply|applies|supports?) only)\b"
)


@pytest.mark.rule("R21")
def test_validators_are_those_of_their_golden_file() -> None:
    page, golden = validation_messages.page(), validation_messages.GOLDEN.read_text()
    assert page == golden, "run `make messages`"


@pytest.mark.rule("R21")
@pytest.mark.parametrize("rule", sorted(set(rules()), key=str), ids=lambda rule: rule.field)
def test_message_of_a_rule_names_the_field_and_what_is_right(rule: Validator) -> None:
    name = re.split(r"[. ]", rule.field)[-1].removesuffix("[]")
    assert name in rule.text
    assert _REMEDY.search(rule.text)
    assert len(rule.text) < 300


@pytest.mark.rule("R21")
@pytest.mark.parametrize("constraint", SPECIMENS)
def test_unsupported_spec_is_refused_with_its_field_and_what_to_do(constraint: str) -> None:
    text = refusal(SPECIMENS[constraint])
    assert re.match(r"spec(?:\.\w+|\[\d+\])+: \S+", text)
    assert re.search(r"Upgrade the operator or (?:remove|set|correct) the field$", text)


def test_every_constraint_of_the_schema_has_a_specimen() -> None:
    used = {key for kind, _, schema in schemas() if kind == "ModelDeployment" for key in schema}
    # The API server drops unknown fields by the schema itself, and formats only document.
    expected = SPECIMENS.keys() - {"additionalProperties"}
    assert used - OTHERS == expected
