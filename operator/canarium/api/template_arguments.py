"""Expands a template of checks: arguments replace `{{ args.NAME }}` once, as plain text.

No template language is involved: a pattern finds placeholders, a value is not searched again, and
the length of each result is bounded before it is built. A value has neither quotes, backslashes,
braces nor control characters, so inside the quotes of a query it cannot end the string, and it
cannot form a placeholder of the operator such as `{{ revision }}`. Each check has to be valid with
the values.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from canarium.api.analysis import Check
from canarium.api.check_template import CheckTemplateSpec
from canarium.api.reasons import ConditionReason

PLACEHOLDER = re.compile(r"\{\{ *args\.([A-Za-z_][A-Za-z0-9_-]*) *\}\}")
#: What is not a placeholder, but was probably meant as one. Without braces inside, no part of a
#: text is searched twice.
_ATTEMPT = re.compile(r"\{[\{%][^{}]{0,100}\bargs\b")
#: Fields of a check in which arguments are replaced, besides the values of labels (`_LABELS`).
FIELDS: tuple[tuple[str, ...], ...] = (
    ("prometheus", "url"),
    ("prometheus", "query"),
    ("prometheus", "samplesQuery"),
    ("web", "url"),
    ("web", "body"),
    ("web", "path"),
    ("web", "samplesPath"),
    ("replay", "json"),
    ("max",),
    ("min",),
    ("maxRatioToStable",),
    ("minRatioToStable",),
)
_LABELS = (("series", "labels"), ("external", "selector"))
_FORBIDDEN = frozenset("\"'`\\{}")
#: Characters of a field with its arguments and placeholders; a field has at most 16384.
_LONGEST_RESULT = 32_768
#: What a field has to be that an argument made invalid.
_AMOUNT = 'must be a number, a percentage or a time, such as "0.2", "1%" or "200ms"'
_DECIMAL = 'must be a number, such as "1.5"'
_EXPECTED = {
    "max": _AMOUNT,
    "min": _AMOUNT,
    "maxRatioToStable": _DECIMAL,
    "minRatioToStable": _DECIMAL,
    "url": "must be a URL that begins with http:// or https://",
    "path": "must be a JSON path that begins with $",
    "samplesPath": "must be a JSON path that begins with $",
    "json": "must be a JSON path that begins with $",
}
VALUE_RULE = "a value has no quotes, backslashes, braces or control characters"


@dataclass(frozen=True, slots=True)
class Fault:
    """Why checks cannot be used: reason, field, and what is expected.

    `field` is below the use of the template in a model, such as `args.MAX`; "" is the use itself.
    """

    reason: ConditionReason
    field: str
    text: str


class TemplateFault(Exception):
    """A template cannot be expanded with the arguments of a model."""

    def __init__(self, reason: ConditionReason, field: str, text: str) -> None:
        super().__init__(text)
        self.fault = Fault(reason, field, text)


def expand(title: str, raw: Mapping[str, Any], args: Mapping[str, str]) -> tuple[Check, ...]:
    """Returns the checks of the template `title` (kind and name) with the spec `raw`.

    Raises TemplateFault.
    """
    try:
        spec = CheckTemplateSpec.model_validate(raw)
    except ValidationError as error:
        raise _invalid(f"{title}: spec{_first(error)}") from error
    bodies = copy.deepcopy(list(raw["checks"]))
    _check_placeholders(title, spec, bodies)
    values = _values(title, spec, args)
    return tuple(_check(title, body, values) for body in bodies)


def _check_placeholders(title: str, spec: CheckTemplateSpec, bodies: list[dict[str, Any]]) -> None:
    """Raises TemplateFault for a placeholder of no argument, or where none is replaced."""
    declared = {one.name for one in spec.args or ()}
    for body in bodies:
        where = f"{title}: spec.checks[{body['name']}]"
        rest = copy.deepcopy(body)
        for part, key in _places(rest):
            for one in PLACEHOLDER.finditer(part[key]):
                if one[1] not in declared:
                    raise _invalid(f"{where} has {one[0]}, which is not in spec.args")
            part[key] = PLACEHOLDER.sub("", part[key])
        if _has_attempt(rest):
            raise _invalid(
                f"{where}: write {{{{ args.NAME }}}}, and only in queries, URLs, bodies, JSON "
                "paths, label values and bounds"
            )


def _check(title: str, body: dict[str, Any], values: Mapping[str, str]) -> Check:
    """Returns a check with its `values`. Raises TemplateFault."""
    reason, name = ConditionReason.INVALID_ARGUMENTS, body["name"]
    for part, key in _places(body):
        growth = sum(len(values[one[1]]) for one in PLACEHOLDER.finditer(part[key]))
        if len(part[key]) + growth > _LONGEST_RESULT:
            text = f"check {name} of {title}: {key} is too long with these arguments"
            raise TemplateFault(reason, "", text)
        part[key] = PLACEHOLDER.sub(lambda match: values[match[1]], part[key])
    try:
        return Check.model_validate(body, strict=True, by_alias=True, by_name=False)
    except ValidationError as error:
        text = f"check {name} of {title} is not valid with these arguments: "
        text += _first(error).removeprefix(".")
        raise TemplateFault(reason, "", text) from error


def _invalid(text: str) -> TemplateFault:
    return TemplateFault(ConditionReason.INVALID_CHECK_TEMPLATE, "", text)


def _values(title: str, spec: CheckTemplateSpec, args: Mapping[str, str]) -> dict[str, str]:
    """Returns the value of each argument. Raises TemplateFault."""
    reason = ConditionReason.INVALID_ARGUMENTS
    declared = {one.name: one.value for one in spec.args or ()}
    listed = ", ".join(sorted(declared)) or "none"
    for name in args:
        if name not in declared:
            text = f"{title} has no such argument. Its arguments: {listed}"
            raise TemplateFault(reason, f"args.{name}", text)
    values: dict[str, str] = {}
    chosen: dict[str, str | None] = {**declared, **args}
    for name, value in chosen.items():
        if value is None:
            text = f"set this argument, for which {title} has no default"
            raise TemplateFault(reason, f"args.{name}", text)
        if not is_plain(value):
            if name in args:
                raise TemplateFault(reason, f"args.{name}", VALUE_RULE)
            raise _invalid(f"{title}: spec.args[{name}].value: {VALUE_RULE}")
        values[name] = value
    return values


def is_plain(value: str) -> bool:
    """Returns whether an argument may have this value."""
    return value.isprintable() and not _FORBIDDEN & set(value)


def _places(check: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """Yields the fields of a raw check in which arguments are replaced: an object and a key."""
    for *parents, key in FIELDS:
        part = _below(check, tuple(parents))
        if isinstance(part.get(key), str):
            yield part, key
    for path in _LABELS:
        labels = _below(check, path)
        yield from ((labels, name) for name, text in labels.items() if isinstance(text, str))


def _below(check: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    for name in path:
        check = check.get(name) or {}
    return check


def _has_attempt(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_has_attempt, (*value, *value.values())))
    if isinstance(value, list):
        return any(map(_has_attempt, value))
    return isinstance(value, str) and _ATTEMPT.search(value) is not None


def _first(error: ValidationError) -> str:
    """Returns the field and the text of the first error, for the end of a sentence."""
    first = error.errors(include_url=False)[0]
    field = "".join(f"[{x}]" if isinstance(x, int) else f".{x}" for x in first["loc"])
    text = "unknown field" if first["type"] == "extra_forbidden" else first["msg"]
    if first["type"] == "string_pattern_mismatch":
        name = str(first["loc"][-1])
        text = _EXPECTED.get(name, text)
        if _EXPECTED.get(name) in (_AMOUNT, _DECIMAL):
            text += f', not "{str(first["input"])[:60]}"'
    return f"{field}: {text}"
