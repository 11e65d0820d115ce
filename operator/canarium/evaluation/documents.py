"""JSON documents: paths in them (RFC 9535), schemas that they satisfy, values that are equal.

Libraries are imported on first use: `tasks.libraries` has them imported before the clock starts.
"""

from __future__ import annotations

import math
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from canarium.evaluation.errors import ErrorReason, EvaluationError

if TYPE_CHECKING:
    from jsonpath_rfc9535 import JSONPathEnvironment
    from jsonpath_rfc9535.query import JSONPathQuery

#: Bytes of a JSON answer that are parsed: as Python objects it can take 40 times as much memory.
LONGEST = 4 << 20


def parsed(body: bytes) -> Any:
    """Returns the document in `body`. Raises EvaluationError."""
    import orjson

    if len(body) > LONGEST:
        size = len(body) / (1 << 20)
        raise EvaluationError(
            ErrorReason.TOO_LARGE,
            f"the answer has {size:.1f} MiB; JSON of up to {LONGEST >> 20} MiB is evaluated",
        )
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise EvaluationError(ErrorReason.UNREADABLE, "the answer is not valid JSON") from error


@cache
def _environment() -> JSONPathEnvironment:
    """Returns a JSONPath environment without `match` and `search`, whose RFC 9535 syntax differs
    from Python's."""
    from jsonpath_rfc9535 import JSONPathEnvironment

    environment = JSONPathEnvironment()
    del environment.function_extensions["match"], environment.function_extensions["search"]
    return environment


@lru_cache(maxsize=64)
def compiled(path: str) -> JSONPathQuery:
    """Returns the query that `path` means. Raises EvaluationError."""
    from jsonpath_rfc9535 import JSONPathError

    try:
        return _environment().compile(path)
    except JSONPathError as error:
        text = f"{path!r} is not a valid JSON path (RFC 9535): {error}"
        raise EvaluationError(ErrorReason.INVALID, text) from error
    except RecursionError as error:
        text = f"{path!r} is not a usable JSON path: it is nested too deeply"
        raise EvaluationError(ErrorReason.INVALID, text) from error


def values(path: str, document: Any) -> list[Any]:
    """Returns all values that `path` matches. Raises EvaluationError."""
    from jsonpath_rfc9535 import JSONPathError

    query = compiled(path)
    try:
        return list(query.find(document).values())
    except (JSONPathError, RecursionError) as error:
        text = f"{path!r} cannot be evaluated: {str(error) or 'nested too deeply'}"
        raise EvaluationError(ErrorReason.INVALID, text) from error


def check_value(expected: dict[str, Any], document: Any) -> None:
    """Raises EvaluationError unless `path` matches, and only values like `value` if that is set."""
    path = expected["path"]
    matches = values(path, document)
    if not matches:
        raise EvaluationError(ErrorReason.UNEXPECTED, f"{path} matches nothing")
    if "value" not in expected:
        return
    tolerance = expected.get("tolerance")
    for value in matches:
        if not alike(value, expected["value"], float(tolerance or 0)):
            text = f"{path} is {_short(value)}, expected {_short(expected['value'])}"
            text += f" ± {tolerance}" if tolerance else ""
            raise EvaluationError(ErrorReason.UNEXPECTED, text)


def alike(one: Any, other: Any, tolerance: float) -> bool:
    """Returns whether two JSON values are equal, numbers within `tolerance`; NaN equals nothing."""
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


def check_schema(schema: dict[str, Any], document: Any) -> None:
    """Raises EvaluationError unless `document` satisfies `schema`."""
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError, ValidationError
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    validator = Draft202012Validator(schema, registry=Registry())
    try:
        error = next(iter(validator.iter_errors(document)), None)
    except (SchemaError, Unresolvable) as fault:
        text = f"the schema cannot be used: {str(fault)[:300]}"
        raise EvaluationError(ErrorReason.INVALID, text) from fault
    except RecursionError as fault:
        text = "the schema cannot be used: it refers to itself without end, or nests too deeply"
        raise EvaluationError(ErrorReason.INVALID, text) from fault
    if isinstance(error, ValidationError):
        raise EvaluationError(ErrorReason.UNEXPECTED, f"{error.json_path}: {error.message[:300]}")


def schema_fault(schema: dict[str, Any]) -> str | None:
    """Returns what is wrong with `schema` itself, regardless of the response."""
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError

    try:
        Draft202012Validator.check_schema(schema)
        if loop := reference_loop(schema):
            return f"{loop} refers to itself, so no answer can ever be checked against it"
    except SchemaError as error:
        return f"{error.json_path}: {error.message[:300]}"
    except RecursionError:
        return "it is nested too deeply"
    return None


def reference_loop(schema: dict[str, Any]) -> str | None:
    """Returns a `$ref` that leads back to itself without a step into the answer, such as "#".

    Only references right at a schema's root are followed, through `allOf`, `anyOf`, `oneOf`, `not`
    and conditions, which all apply to the same place of the answer.
    """

    def visit(node: Any, seen: tuple[str, ...]) -> str | None:
        if not isinstance(node, dict):
            return None
        reference = node.get("$ref")
        if isinstance(reference, str) and (reference == "#" or reference.startswith("#/")):
            if reference in seen or reference == "#":
                return reference
            if loop := visit(_resolved(schema, reference), (*seen, reference)):
                return loop
        below = [node.get(k) for k in ("not", "if", "then", "else")]
        for key in ("allOf", "anyOf", "oneOf"):
            below += node[key] if isinstance(node.get(key), list) else []
        return next((loop for part in below if (loop := visit(part, seen))), None)

    return visit(schema, ())


def _resolved(schema: Any, reference: str) -> Any:
    node = schema
    for step in reference[2:].split("/"):
        step = step.replace("~1", "/").replace("~0", "~")
        if isinstance(node, list) and step.isdigit() and int(step) < len(node):
            node = node[int(step)]
        else:
            node = node.get(step) if isinstance(node, dict) else None
    return node


def _short(value: Any) -> str:
    import orjson

    text = orjson.dumps(value).decode()
    return text if len(text) <= 80 else f"{text[:77]}..."
