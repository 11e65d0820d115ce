"""What a runtime's template may do, and that its cost is bounded."""

from __future__ import annotations

import time
import tracemalloc
from typing import Any

import pytest

from canarium.render.errors import RuntimeInvalid
from canarium.render.jinja import ALL_SOURCES, LONGEST_RESULT, LONGEST_SOURCE, leaves, render

CONTEXT: dict[str, Any] = {
    "model": {"name": "fraud", "path": '/m"x', "version": "a b; reboot"},
    "parameters": {},
    "gpus": 2,
}


def refused(source: str, context: dict[str, Any] = CONTEXT) -> RuntimeInvalid:
    with pytest.raises(RuntimeInvalid) as error:
        render(source, context, "ModelRuntime x.args[0]")
    return error.value


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("plain", "plain"),
        ("/v2/models/{{ model.name }}/ready", "/v2/models/fraud/ready"),
        ("{{ parameters.dtype | default('auto') }}", "auto"),
        ("{% if parameters.file is defined %}/{{ parameters.file }}{% endif %}", ""),
        ("--gpus={{ gpus + 1 }}", "--gpus=3"),
        ("run {{ model.version | quote }}", "run 'a b; reboot'"),
        ('{"path": {{ model.path | tojson }}}', '{"path": "/m\\"x"}'),
        ("{{ model.version | urlencode }}", "a%20b%3B%20reboot"),
        ("{% raw %}{{ kept }}{% endraw %}", "{{ kept }}"),
    ],
)
def test_leaf_is_rendered(source: str, text: str) -> None:
    assert render(source, CONTEXT, "") == text


@pytest.mark.parametrize(
    ("source", "reason", "said"),
    [
        ("a\n{{ model.nme }}", "TemplateInvalid", "line 2: model.nme is undefined; there is name"),
        ("{{ modle.name }}", "TemplateInvalid", "modle is undefined; there is gpus, model"),
        ("{{ model['nme'] }}", "TemplateInvalid", "model.nme is undefined"),
        ("{{ model.name", "TemplateInvalid", "line 1: unexpected end of template"),
        ("{{ gpus - 'a' }}", "TemplateInvalid", "unsupported operand"),
        ("{{ model.name | int }}", "TemplateInvalid", "invalid literal"),
        ("{{ '\\ud800' }}", "TemplateInvalid", "half of a surrogate pair"),
        ("{{ 'é' + '\\udfff' }}", "TemplateInvalid", "half of a surrogate pair"),
        ('{"name": "{{ model.name }}"}', "TemplateInvalid", "must end with `| tojson`"),
        ('{"name": {{ model.name | tojson }}', "TemplateInvalid", "starts like JSON"),
        ("a\n{{ gpus - 'a' }}", "TemplateInvalid", "line 2: unsupported operand"),
        ("a\n{{ parameters.x | tojson }}", "TemplateInvalid", "line 2: parameters.x is undefined"),
        ("{{ parameters.x | int }}", "TemplateInvalid", "line 1: parameters.x is undefined"),
        ("{{ model.name | center(9) }}", "TemplateUnbounded", "no filter center; known: default"),
        ("{{ gpus is divisibleby 2 }}", "TemplateUnbounded", "no test divisibleby"),
    ],
)
def test_error_names_leaf_line_and_what_is_wrong(source: str, reason: str, said: str) -> None:
    error = refused(source)
    assert error.reason == reason
    assert str(error).startswith("ModelRuntime x.args[0]: ")
    assert said in str(error)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("{% for i in range(1000000000) %}x{% endfor %}", "a loop is not allowed"),
        ("{% if false %}{% for i in [1] %}{% endfor %}{% endif %}", "a loop is not allowed"),
        ("{{ 'x' * 10000000 }}", "a multiplication is not allowed"),
        ("{{ 10 ** 10 ** 10 }}", "a power is not allowed"),
        ("{{ '%10000000d' % 1 }}", "the operator % is not allowed"),
        ("{{ range(9) }}", "a call is not allowed"),
        ("{{ model.name.upper() }}", "a call is not allowed"),
        ("{% set a = 'x' %}{{ a }}", "an assignment is not allowed"),
        ("{% macro m() %}{{ m() }}{% endmacro %}", "is not allowed"),
        ("{% include 'a' %}", "include is not allowed"),
        ("{{ [1, 2] }}", "list is not allowed"),
        ("{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}", "nested too deeply"),
        ("{{ gpus" + " + gpus" * 300 + " }}", "nested too deeply"),
        ("{{ gpus" + " | string" * 300 + " }}", "nested too deeply"),
        ("{% if gpus %}" * 120 + "{% endif %}" * 120, "nested too deeply"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_template_that_could_loop_or_grow_is_refused_before_it_runs(source: str, said: str) -> None:
    began = time.process_time()
    error = refused(source)
    assert time.process_time() - began < 1
    assert error.reason == "TemplateUnbounded"
    assert said in str(error)


def test_source_and_result_have_a_length() -> None:
    assert refused("{{ gpus }}" + "x" * LONGEST_SOURCE).reason == "TemplateTooLarge"
    long = {"text": "x" * (LONGEST_RESULT // 2)}
    assert refused("{{ text }}{{ text }}{{ text }}", long).reason == "TemplateTooLarge"


@pytest.mark.parametrize(
    "source",
    [
        "{{ '\"'" + " | tojson" * 24 + " }}",
        "{% if '\"'" + " | tojson" * 24 + " == 'x' %}{% endif %}",
        '{{ "\'"' + " | quote" * 16 + " }}",
        "{{ parameters.long" + " + parameters.long" * 90 + " }}",
        "{{ parameters.long" + " ~ parameters.long" * 90 + " }}",
        "{{ parameters.long }}" * 200,
    ],
    ids=lambda source: source[:30],
)
def test_no_part_of_a_template_grows_over_the_longest_result(source: str) -> None:
    context = {"parameters": {"long": "x" * (LONGEST_RESULT - 9)}}
    tracemalloc.start()
    try:
        error = refused(source, context)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert error.reason == "TemplateTooLarge"
    assert peak < 64 * LONGEST_RESULT


@pytest.mark.parametrize("name", ["items", "__class__", "get", "__getitem__"])
def test_attributes_of_python_cannot_be_reached(name: str) -> None:
    assert "is undefined" in str(refused(f"{{{{ model.{name} }}}}"))


def test_every_string_of_a_tree_is_a_leaf_and_no_key() -> None:
    tree = {"{{ a }}": ["{{ model.name }}", {"n": 1, "deep": "{{ gpus }}"}]}
    assert leaves(tree, CONTEXT, "r") == {"{{ a }}": ["fraud", {"n": 1, "deep": "2"}]}
    with pytest.raises(RuntimeInvalid, match=r"r\.args\[1\]\.name: line 1: no is undefined"):
        leaves({"args": ["", {"name": "{{ no.such }}"}]}, CONTEXT, "r")


@pytest.mark.rule("R31")
def test_templates_of_a_runtime_are_bounded_together() -> None:
    many = {"args": ["{% if a %}" * 80 + "{% endif %}" * 80 + str(n) for n in range(190)]}
    began = time.process_time()
    with pytest.raises(RuntimeInvalid, match=f"over {ALL_SOURCES} characters together"):
        leaves(many, {"a": "x"}, "r")
    wide = {"args": ["{{ a }}"] * 100}
    with pytest.raises(RuntimeInvalid, match="render to over 262144 characters"):
        leaves(wide, {"a": "x" * 60_000}, "r")
    assert time.process_time() - began < 2
    assert leaves({"args": ["plain" * 10_000]}, {}, "r") == {"args": ["plain" * 10_000]}


def test_number_with_too_many_digits_is_invalid() -> None:
    assert refused("{{ " + "9" * 8_000 + " }}").reason == "TemplateInvalid"
