"""Whether values of a JSON answer have the types that the signature of an MLflow model states.

JSON has fewer types than a signature. A whole number satisfies a floating-point type, never the
reverse; a date is a text or a number, and bytes are a text. Fields that a signature does not have
are ignored: no caller reads them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from canarium.evaluation.errors import ErrorReason, EvaluationError

_INTEGER, _NUMBER, _TEXT, _TRUTH = "integer", "number", "text", "truth"
#: Types of columns and fields; values of any other type are not checked.
_KINDS = {
    "boolean": _TRUTH,
    "integer": _INTEGER,
    "long": _INTEGER,
    "float": _NUMBER,
    "double": _NUMBER,
    "string": _TEXT,
    "binary": _TEXT,
}


def check_columns(specs: Sequence[Mapping[str, Any]], predictions: Any) -> None:
    """Checks predictions against columns: a list of records, of rows or of values, or an object.

    Raises EvaluationError.
    """
    rows = predictions if isinstance(predictions, list) else [predictions]
    if not rows:
        raise _unexpected("predictions is empty")
    whole = len(specs) == 1 and specs[0].get("type") in ("array", "object", "map", "any")
    for index, row in enumerate(rows):
        where = f"predictions[{index}]" if rows is predictions else "predictions"
        if isinstance(row, dict) and not whole:
            _check_record(specs, row, where)
        elif isinstance(row, list) and not whole:
            if len(row) != len(specs):
                raise _unexpected(f"{where} has {len(row)} values, expected {len(specs)}")
            for spec, value in zip(specs, row, strict=True):
                check_type(spec, value, where)
        elif len(specs) == 1:
            check_type(specs[0], row, where)
        else:
            raise _unexpected(f"{where} is {_short(row)}, expected {len(specs)} columns")


def check_type(spec: Mapping[str, Any], value: Any, where: str) -> None:
    """Checks one value against the type of a column or of a field. Raises EvaluationError."""
    kind = str(spec.get("type"))
    if value is None:
        if spec.get("required") is False or kind == "any":
            return
        raise _unexpected(f"{where} is null, expected {kind}")
    if kind == "array":
        if not isinstance(value, list):
            raise _unexpected(f"{where} is {_short(value)}, expected a list")
        if isinstance(items := spec.get("items"), dict):
            for index, one in enumerate(value):
                check_type(items, one, f"{where}[{index}]")
    elif kind in ("object", "map"):
        if not isinstance(value, dict):
            raise _unexpected(f"{where} is {_short(value)}, expected an object")
        if isinstance(each := spec.get("values"), dict):
            for name, one in value.items():
                check_type(each, one, f"{where}.{name}")
        if isinstance(properties := spec.get("properties"), dict):
            _check_properties(properties, value, where)
    elif kind in _KINDS and not _is_of(_KINDS[kind], value):
        raise _unexpected(f"{where} is {_short(value)}, expected {kind}")


def check_tensor(spec: Any, value: Any, where: str, *, shape: Any = None) -> None:
    """Checks nested lists against type and shape of a tensor; `shape` is that of flat values.

    Raises EvaluationError.
    """
    spec = spec if isinstance(spec, dict) else {}
    wanted = spec.get("shape")
    wanted = wanted if isinstance(wanted, list) else [-1]
    flat, actual = (value, shape) if shape is not None else _opened(value, len(wanted), where)
    # MLServer states the shape of a list of n values as [n, 1].
    column = shape is not None and _fits(actual, [*wanted, 1])
    if not column and not _fits(actual, wanted):
        raise _unexpected(f"{where} has the shape {_short(actual)}, expected {wanted}")
    if not flat:
        raise _unexpected(f"{where} is empty")
    kind = _tensor_kind(str(spec.get("dtype")))
    for one in flat:
        if kind and not _is_of(kind, one):
            raise _unexpected(f"{where} contains {_short(one)}, expected {spec.get('dtype')}")


def _opened(value: Any, rank: int, where: str) -> tuple[list[Any], list[int]]:
    """Returns the values of nested lists, and their shape, down to `rank` levels."""
    flat: list[Any] = [value]
    shape: list[int] = []
    while len(shape) < rank and all(isinstance(one, list) for one in flat):
        if len({len(one) for one in flat}) != 1:
            raise _unexpected(f"{where} has lists of different lengths")
        shape.append(len(flat[0]))
        flat = [one for part in flat for one in part]
        if not flat:
            break
    return flat, shape


def _fits(actual: Any, wanted: Sequence[Any]) -> bool:
    """Returns whether a shape is the wanted one, in which -1 is any number."""
    if not isinstance(actual, list) or len(actual) != len(wanted):
        return False
    return all(one in (-1, given) for given, one in zip(actual, wanted, strict=True))


def _tensor_kind(dtype: str) -> str | None:
    if dtype.startswith(("int", "uint")):
        return _INTEGER
    if dtype.startswith("float"):
        return _NUMBER
    if dtype.startswith(("str", "<U", "bytes", "datetime")):
        return _TEXT
    return _TRUTH if dtype == "bool" else None


def _check_record(specs: Sequence[Mapping[str, Any]], row: Mapping[str, Any], where: str) -> None:
    for spec in specs:
        name = str(spec.get("name", ""))
        if name in row:
            check_type(spec, row[name], f"{where}.{name}")
        elif spec.get("required") is not False:
            raise _unexpected(f"{where} has no field {name!r}")


def _check_properties(properties: Mapping[str, Any], value: Mapping[str, Any], where: str) -> None:
    for name, spec in properties.items():
        if not isinstance(spec, dict):
            continue
        if name in value:
            check_type(spec, value[name], f"{where}.{name}")
        elif spec.get("required") is not False:
            raise _unexpected(f"{where} has no field {name!r}")


def _is_of(kind: str, value: Any) -> bool:
    if kind is _TRUTH or isinstance(value, bool):
        return kind is _TRUTH and isinstance(value, bool)
    if kind is _TEXT:
        return isinstance(value, str)
    return isinstance(value, int if kind is _INTEGER else int | float)


def _short(value: Any) -> str:
    import orjson

    text = orjson.dumps(value).decode()
    return text if len(text) <= 80 else f"{text[:77]}..."


def _unexpected(text: str) -> EvaluationError:
    return EvaluationError(ErrorReason.UNEXPECTED, text)
