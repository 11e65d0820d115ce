"""Templates of checks are expanded by plain replacement, and only to checks that are valid."""

from __future__ import annotations

import time
from typing import Any

import pytest

from canarium.api.template_arguments import Fault, TemplateFault, expand

rule = pytest.mark.rule
TITLE = "CheckTemplate/slo"
QUERY = 'sum(rate(errors{job="{{ args.job }}",revision="{{ revision }}"}[{{args.range}}]))'


def template(*checks: dict[str, Any], **defaults: str | None) -> dict[str, Any]:
    args = [{"name": n, **({"value": v} if v is not None else {})} for n, v in defaults.items()]
    return {"args": args, "checks": list(checks)}


def check(**fields: Any) -> dict[str, Any]:
    return {"name": "errors", "metric": "ErrorRate", "max": "1%", **fields}


def prometheus(query: str = QUERY, **fields: Any) -> dict[str, Any]:
    source = {"url": "http://prometheus", "query": query, **fields}
    return {"name": "errors", "prometheus": source, "max": "{{ args.max }}"}


def fault(raw: dict[str, Any], **args: str) -> Fault:
    with pytest.raises(TemplateFault) as caught:
        expand(TITLE, raw, args)
    return caught.value.fault


@rule("R17")
def test_arguments_are_replaced_in_every_field_that_takes_them() -> None:
    raw = template(
        prometheus(samplesQuery="count({{ args.job }})", url="{{ args.url }}/prefix"),
        {
            "name": "score",
            "web": {
                "url": "https://{{ args.host }}/{{ model }}",
                "path": "$.{{ args.job }}.value",
                "samplesPath": "$.{{ args.job }}.count",
            },
            "minRatioToStable": "{{ args.ratio }}",
            "maxRatioToStable": "{{ args.ratio }}",
        },
        {
            "name": "series",
            "series": {"name": "hits", "kind": "Counter", "labels": {"code": "{{ args.code }}.."}},
            "min": "{{ args.max }}ms",
        },
        {
            "name": "asked",
            "web": {"url": "http://a", "body": '{"job": "{{ args.job }}"}', "path": "$.a"},
            "max": "1",
        },
        {
            "name": "external",
            "external": {"metric": "queue", "selector": {"job": "{{ args.job }}"}},
            "max": "1",
        },
        {
            "name": "replay",
            "replay": {"requests": {"name": "a", "key": "b"}, "json": "$.{{ args.job }}"},
            "max": "0.1",
        },
        job=None,
        range="5m",
        max="2",
        url=None,
        host="metrics",
        ratio="1.5",
        code="5",
    )
    one, web, series, asked, external, replay = expand(
        TITLE, raw, {"job": "api", "url": "http://p", "max": "3"}
    )
    assert one.prometheus
    assert one.prometheus.query == 'sum(rate(errors{job="api",revision="{{ revision }}"}[5m]))'
    assert (one.prometheus.samples_query, one.prometheus.url) == ("count(api)", "http://p/prefix")
    assert one.max == "3"
    assert web.web
    assert web.web.url == "https://metrics/{{ model }}"
    assert (web.web.path, web.web.samples_path) == ("$.api.value", "$.api.count")
    assert (web.min_ratio_to_stable, web.max_ratio_to_stable) == ("1.5", "1.5")
    assert series.series
    assert (series.series.labels, series.min) == ({"code": "5.."}, "3ms")
    assert asked.web
    assert asked.web.body == '{"job": "api"}'
    assert external.external
    assert external.external.selector == {"job": "api"}
    assert replay.replay
    assert replay.replay.json_path == "$.api"


@rule("R21")
@pytest.mark.parametrize(
    ("raw", "args", "reason", "field", "text"),
    [
        (
            template(check(), max="1", job="a"),
            {"mx": "1"},
            *("InvalidArguments", "args.mx"),
            f"{TITLE} has no such argument. Its arguments: job, max",
        ),
        (
            template(check(), job=None),
            {},
            *("InvalidArguments", "args.job"),
            f"set this argument, for which {TITLE} has no default",
        ),
        (
            template(check(max="{{ args.max }}"), max=None),
            {"max": "much"},
            *("InvalidArguments", ""),
            f"check errors of {TITLE} is not valid with these arguments: max: must be a number, a "
            'percentage or a time, such as "0.2", "1%" or "200ms", not "much"',
        ),
        (
            template(prometheus("up", url="{{ args.url }}"), url=None, max="1"),
            {"url": "user:secret@host"},
            *("InvalidArguments", ""),
            f"check errors of {TITLE} is not valid with these arguments: prometheus.url: must be a "
            "URL that begins with http:// or https://",
        ),
        (
            template(check(max="{{ args.max }}")),
            {},
            *("InvalidCheckTemplate", ""),
            f"{TITLE}: spec.checks[errors] has {{{{ args.max }}}}, which is not in spec.args",
        ),
        (
            template(prometheus("up", authentication={"secretName": "{{ args.job }}"}), job="a"),
            {},
            *("InvalidCheckTemplate", ""),
            f"{TITLE}: spec.checks[errors]",
        ),
        (
            template(
                {
                    "name": "errors",
                    "web": {
                        "url": "http://a",
                        "path": "$.a",
                        "headers": [{"name": "X-Job", "value": "{{ args.job }}"}],
                    },
                    "max": "1",
                },
                job="a",
            ),
            {},
            *("InvalidCheckTemplate", ""),
            f"{TITLE}: spec.checks[errors]: write {{{{ args.NAME }}}}, and only in queries",
        ),
        (
            template(prometheus("rate({{ args.job | upper }})"), job="a", max="1"),
            {},
            *("InvalidCheckTemplate", ""),
            f"{TITLE}: spec.checks[errors]: write {{{{ args.NAME }}}}, and only in queries",
        ),
        (
            template(check(), job='a"b'),
            {},
            *("InvalidCheckTemplate", ""),
            f"{TITLE}: spec.args[job].value: a value has no quotes",
        ),
        (
            {"checks": [{"name": "errors", "speed": "high"}]},
            {},
            *("InvalidCheckTemplate", ""),
            f"{TITLE}: spec.checks[0].speed: unknown field",
        ),
    ],
    ids=[
        *(
            "unknown",
            "missing",
            "bound",
            "url",
            "undeclared",
            "elsewhere",
            "header",
            "filter",
            "default",
        ),
        "schema",
    ],
)
def test_what_cannot_be_expanded_names_the_field_and_what_is_expected(
    raw: dict[str, Any], args: dict[str, str], reason: str, field: str, text: str
) -> None:
    found = fault(raw, **args)
    assert (found.reason, found.field) == (reason, field)
    assert found.text.startswith(text)
    assert "secret" not in found.text


@rule("R17", "R21")
@pytest.mark.parametrize(
    "value",
    ['a"} or vector(0) #', "a'b", "a`b", "a\\", "{{ revision }}", "a}b", "{% x %}", "a\nb", "a\0"],
)
def test_argument_cannot_end_a_string_or_form_a_placeholder(value: str) -> None:
    found = fault(template(prometheus(), job=None, range="5m", max="1"), job=value)
    assert (found.reason, found.field) == ("InvalidArguments", "args.job")
    assert "no quotes, backslashes, braces or control characters" in found.text


@rule("R17")
def test_value_is_not_searched_for_placeholders_again() -> None:
    raw = template(prometheus("up{{{ args.a }}}"), a="args.b", b="x", max="1")
    (one,) = expand(TITLE, raw, {})
    assert one.prometheus
    assert one.prometheus.query == "up{args.b}"


@rule("R31")
def test_length_is_bounded_before_the_result_is_built() -> None:
    placeholders = "{{ args.a }}" * 341
    raw = template(*({**prometheus(placeholders), "name": f"c{n}"} for n in range(16)), a=None)
    raw["args"].append({"name": "max", "value": "1"})
    began = time.process_time()
    found = fault(raw, a="x" * 1024)
    assert time.process_time() - began < 0.5
    assert (found.reason, found.field) == ("InvalidArguments", "")
    assert "query is too long with these arguments" in found.text


@rule("R31")
@pytest.mark.parametrize("part", ["{", "{%"])
def test_time_for_braces_is_not_a_multiple_of_what_a_search_may_span(part: str) -> None:
    """A search that continues past a brace repeats up to 100 characters at each of them, and takes
    400 to 900 times as long as for a text without braces; now 10 to 30 times."""

    def seconds(text: str) -> float:
        web = {"url": "http://a", "body": text, "path": "$.a"}
        raw = template(*({"name": f"c{n}", "web": web, "max": "1"} for n in range(8)))
        began = time.process_time()
        expand(TITLE, raw, {})
        return time.process_time() - began

    length = 16_000
    measured = [(seconds(part * (length // len(part))), seconds("x" * length)) for _ in range(5)]
    assert min(one for one, _ in measured) < 100 * min(other for _, other in measured)
