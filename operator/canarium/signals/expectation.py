"""Whether an answer is what was expected: status, values, schema, latency."""

from __future__ import annotations

import math
from typing import Any

import orjson

from canarium.api.base import seconds
from canarium.api.smoke import Expectation, JsonExpectation
from canarium.signals.jsonpath import BadPath, compiled, values
from canarium.signals.web import Answer


class Unexpected(Exception):
    """An answer is not as expected; the text says what was wanted and what came."""


class Unusable(Unexpected):
    """What is expected cannot be looked at, whatever the answer: the test is wrong, not the pod."""


def met(expected: Expectation, answer: Answer) -> None:
    """Returns when `answer` is good. Raises Unexpected."""
    status = expected.status or 200
    if answer.status != status:
        raise Unexpected(f"status {answer.status}, expected {status}")
    if expected.max_latency and answer.seconds > seconds(expected.max_latency):
        took = answer.seconds * 1000
        raise Unexpected(f"took {took:.0f}ms, expected at most {expected.max_latency}")
    if not expected.json_values and expected.json_schema is None:
        return
    try:
        document = orjson.loads(answer.body)
    except orjson.JSONDecodeError as error:
        raise Unexpected("the answer is no JSON") from error
    for value in expected.json_values or ():
        _value(value, document)
    if expected.json_schema is not None:
        _schema(expected.json_schema, document)


def _value(expected: JsonExpectation, document: Any) -> None:
    try:
        found = values(expected.path, document)
    except BadPath as error:
        raise Unusable(str(error)) from error
    if not found:
        raise Unexpected(f"{expected.path} matches nothing")
    if "value" not in expected.model_fields_set:
        return
    tolerance = float(expected.tolerance or 0)
    for value in found:
        if not alike(value, expected.value, tolerance):
            raise Unexpected(
                f"{expected.path} is {_short(value)}, expected {_short(expected.value)}"
                + (f" ± {expected.tolerance}" if expected.tolerance else "")
            )


def alike(one: Any, other: Any, tolerance: float) -> bool:
    """Whether two JSON values are equal, numbers within `tolerance`; NaN is like nothing."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | float) and isinstance(other, int | float):
        return math.isfinite(one) and abs(one - other) <= tolerance
    if isinstance(one, list) and isinstance(other, list):
        pairs = zip(one, other, strict=False)
        return len(one) == len(other) and all(alike(a, b, tolerance) for a, b in pairs)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(alike(one[k], other[k], tolerance) for k in one)
    return bool(one == other)


def _schema(schema: dict[str, Any], document: Any) -> None:
    # Imported on use: few models need it, and it is the largest of our libraries.
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError, ValidationError
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    validator = Draft202012Validator(schema, registry=Registry())
    try:
        error = next(iter(validator.iter_errors(document)), None)
    except (SchemaError, Unresolvable) as fault:
        raise Unusable(f"the schema cannot be used: {fault}") from fault
    if isinstance(error, ValidationError):
        raise Unexpected(f"{error.json_path}: {error.message[:300]}")


def _short(value: Any) -> str:
    text = orjson.dumps(value).decode()
    return text if len(text) <= 80 else f"{text[:77]}..."


def faults(expected: Expectation, path: str) -> list[str]:
    """What is wrong with `expected` itself, each with the field's path below `path`."""
    found = []
    for index, value in enumerate(expected.json_values or ()):
        try:
            compiled(value.path)
        except BadPath as error:
            found.append(f"{path}.json[{index}].path: {error}")
    if expected.json_schema is not None:
        from jsonschema import Draft202012Validator
        from jsonschema.exceptions import SchemaError

        try:
            Draft202012Validator.check_schema(expected.json_schema)
        except SchemaError as error:
            found.append(f"{path}.schema: {error.json_path}: {error.message[:300]}")
    return found
