"""The input example that was logged with an MLflow model: as a request, and what it is answered.

Three steps, each with bytes that a tenant wrote: `described` reads the file MLmodel, `request`
turns the example into a body of the protocol that the server speaks, and `check_answer` compares an
answer with the outputs of the signature.

MLflow stores an example twice: as it was passed to `log_model`, and since version 2.14 as the body
of a request to its own server (`serving_input_path`). The second one is used where it exists.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from canarium.evaluation import documents
from canarium.evaluation.answer_types import check_columns, check_tensor, check_type
from canarium.evaluation.errors import ErrorReason, EvaluationError
from canarium.evaluation.mlflow import model_file

#: Types of columns and of tensors → types of the Open Inference Protocol (V2).
_V2_TYPES = {
    "boolean": "BOOL", "bool": "BOOL", "integer": "INT32", "int32": "INT32", "long": "INT64",
    "int64": "INT64", "int8": "INT8", "int16": "INT16", "uint8": "UINT8", "uint16": "UINT16",
    "uint32": "UINT32", "uint64": "UINT64", "float": "FP32", "float32": "FP32", "float16": "FP16",
    "double": "FP64", "float64": "FP64",
}  # fmt: skip
_LONGEST_PATH = 255
#: Name of an input without one, as servers of the protocol use it in their examples.
_UNNAMED = "input-0"


def described(body: bytes) -> tuple[dict[str, Any], bytes]:
    """Returns path and kind of the example that a file MLmodel names, and its signature as JSON.

    Raises EvaluationError if it has no example, or no outputs in its signature.
    """
    import orjson

    whole = model_file(body)
    stored = whole.get("signature")
    signature = {side: _fields(stored, side) for side in ("inputs", "outputs")}
    info = whole.get("saved_input_example_info")
    info = info if isinstance(info, dict) else {}
    missing = []
    if not (info.get("serving_input_path") or info.get("artifact_path")):
        missing.append("input example")
    if not signature["outputs"]:
        missing.append("signature with outputs")
    if missing:
        text = f"the model was logged without {' and '.join(missing)}"
        raise EvaluationError(ErrorReason.INVALID, text)
    path = info.get("serving_input_path")
    kind = "serving" if path else _kind(info)
    return {"path": _path(path or info["artifact_path"]), "kind": kind}, orjson.dumps(signature)


def request(kind: str, protocol: str, signature: bytes, example: bytes) -> bytes:
    """Returns the body with `example` in `protocol`: MLflow, V1 or V2. Raises EvaluationError."""
    import orjson

    try:
        content = orjson.loads(example)
    except orjson.JSONDecodeError as error:
        raise _unusable("is not valid JSON") from error
    payload = _serving(kind, content)
    if protocol != "MLflow":
        table, inputs = payload.get("dataframe_split"), payload.get("inputs")
        if table is None and inputs is None:
            raise _unusable("is not a table, and has no inputs, as requests to language models")
        specs = orjson.loads(signature)["inputs"]
        payload = _v1(table, inputs) if protocol == "V1" else _v2(table, inputs, specs)
    return orjson.dumps(payload)


def check_answer(protocol: str, signature: bytes, answer: bytes) -> None:
    """Raises EvaluationError unless `answer` has the outputs of the signature."""
    import orjson

    document = documents.parsed(answer)
    outputs = orjson.loads(signature)["outputs"]
    if not isinstance(document, dict):
        raise _unexpected("the answer is not a JSON object")
    if protocol == "V2":
        _check_v2(outputs, document.get("outputs"))
        return
    if "predictions" not in document:
        raise _unexpected("the answer has no field predictions")
    predictions = document["predictions"]
    if any("tensor-spec" in spec for spec in outputs):
        _check_tensors(outputs, predictions)
    else:
        check_columns(outputs, predictions)


def _fields(signature: Any, side: str) -> list[dict[str, Any]]:
    """Returns the fields of one side of a signature, which the file has as JSON in a text."""
    text = signature.get(side) if isinstance(signature, dict) else None
    fields = documents.parsed(text.encode()) if isinstance(text, str) else None
    if fields is None:
        return []
    if not isinstance(fields, list) or not all(isinstance(one, dict) for one in fields):
        raise EvaluationError(ErrorReason.INVALID, f"the {side} of its signature are not a list")
    return fields


def _kind(info: Mapping[str, Any]) -> str:
    """Returns how the example of an older MLflow is stored."""
    stored, orient = str(info.get("type")), info.get("pandas_orient")
    if stored.startswith("sparse"):
        raise _unusable("is a sparse matrix, which servers do not take")
    if info.get("params"):
        return "parameters"
    return "table" if stored == "dataframe" and orient == "split" else "inputs"


def _path(path: Any) -> str:
    if not isinstance(path, str) or len(path) > _LONGEST_PATH or not path.isprintable():
        raise _unusable("has no usable path")
    if path.startswith("/") or ".." in path.split("/"):
        raise _unusable("is not in the folder of the model")
    return path


def _serving(kind: str, content: Any) -> dict[str, Any]:
    """Returns the example as the body of a request to MLflow's server."""
    if kind == "serving":
        if not isinstance(content, dict):
            raise _unusable("is not a JSON object")
        return content
    if kind == "table":
        return {"dataframe_split": content}
    # A tensor is stored in the format of TensorFlow Serving, an example with parameters as well.
    wrapped = isinstance(content, dict) and "inputs" in content
    return {"inputs": content["inputs"] if wrapped else content}


def _v1(table: Any, inputs: Any) -> dict[str, Any]:
    if table is not None:
        return {"instances": _rows(table)}
    if isinstance(inputs, dict):
        return {"inputs": inputs}
    return {"instances": inputs if isinstance(inputs, list) else [inputs]}


def _v2(table: Any, inputs: Any, specs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    if table is None and isinstance(inputs, list) and inputs and isinstance(inputs[0], dict):
        names = list(inputs[0])
        rows = [[row.get(n) if isinstance(row, dict) else None for n in names] for row in inputs]
        table = {"columns": names, "data": rows}
    if table is not None:
        return _v2_table(table, specs)
    named = inputs if isinstance(inputs, dict) else {_name(specs): inputs}
    return {"inputs": [_v2_input(str(n), v, _spec(specs, n, i)) for i, (n, v) in
                       enumerate(named.items())]}  # fmt: skip


def _v2_table(table: Any, specs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Returns a table as one input for each column, as MLServer and KServe read tables."""
    rows = _rows(table)
    columns = table.get("columns")
    columns = columns if isinstance(columns, list) else list(range(len(rows[0]) if rows else 0))
    if any(len(row) != len(columns) for row in rows):
        raise _unusable("has rows of different lengths")
    inputs = []
    for index, name in enumerate(columns):
        spec = _spec(specs, name, index)
        inputs.append(_v2_input(str(name), [row[index] for row in rows], spec))
        if inputs[-1]["datatype"] == "BYTES":
            inputs[-1]["parameters"] = {"content_type": "str"}
    return {"parameters": {"content_type": "pd"}, "inputs": inputs}


def _v2_input(name: str, value: Any, spec: Mapping[str, Any]) -> dict[str, Any]:
    shape: list[int] = []
    flat = value if isinstance(value, list) else [value]
    while True:
        shape.append(len(flat) // _product(shape))
        if not flat or not all(isinstance(one, list) for one in flat):
            break
        if len({len(one) for one in flat}) > 1:
            raise _unusable(f"is ragged in input {name!r}")
        flat = [one for part in flat for one in part]
    if any(isinstance(one, dict | list) or one is None for one in flat):
        raise _unusable(f"has values in input {name!r} that the protocol V2 cannot express")
    return {"name": name, "shape": shape, "datatype": _v2_type(spec, flat), "data": flat}


def _v2_type(spec: Mapping[str, Any], values: Sequence[Any]) -> str:
    tensor = spec.get("tensor-spec")
    stated = tensor.get("dtype") if isinstance(tensor, dict) else spec.get("type")
    if str(stated) in _V2_TYPES:
        return _V2_TYPES[str(stated)]
    for kind, name in ((bool, "BOOL"), (int, "INT64"), (float, "FP64")):
        if values and all(isinstance(one, kind) for one in values):
            return name
    mixed = any(isinstance(one, str) for one in values)
    return "BYTES" if mixed or not values else "FP64"


def _product(numbers: Sequence[int]) -> int:
    result = 1
    for number in numbers:
        result *= number
    return result or 1


def _rows(table: Any) -> list[list[Any]]:
    rows = table.get("data") if isinstance(table, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise _unusable("is a table without rows")
    return rows


def _name(specs: Sequence[Mapping[str, Any]]) -> str:
    """Returns the name of the only input."""
    return str(specs[0].get("name") or _UNNAMED) if len(specs) == 1 else _UNNAMED


def _spec(specs: Sequence[Mapping[str, Any]], name: object, index: int) -> Mapping[str, Any]:
    named = [spec for spec in specs if spec.get("name") == name]
    return named[0] if named else specs[index] if index < len(specs) else {}


def _check_tensors(outputs: Sequence[Mapping[str, Any]], predictions: Any) -> None:
    if len(outputs) == 1 and not isinstance(predictions, dict):
        check_tensor(outputs[0]["tensor-spec"], predictions, "predictions")
        return
    for spec in outputs:
        name = spec.get("name")
        if not isinstance(predictions, dict) or name not in predictions:
            raise _unexpected(f"predictions has no output {name!r}")
        check_tensor(spec.get("tensor-spec"), predictions[name], f"predictions.{name}")


def _check_v2(outputs: Sequence[Mapping[str, Any]], answered: Any) -> None:
    if not isinstance(answered, list) or not all(isinstance(one, dict) for one in answered):
        raise _unexpected("the answer has no list of outputs")
    if not answered:
        raise _unexpected("the answer has no output")
    if len(answered) == 1 and len(outputs) > 1:
        # One table: a column for each output of the signature.
        shape = answered[0].get("shape")
        if isinstance(shape, list) and len(shape) == 2 and shape[1] == len(outputs):
            for spec in outputs:
                _check_v2_output(spec, answered[0])
            return
    for spec in outputs:
        named = [one for one in answered if one.get("name") == spec.get("name")]
        if len(outputs) == 1:
            # Servers choose the name, such as "predict".
            named = named or answered[:1]
        if not named:
            raise _unexpected(f"the answer has no output {spec.get('name')!r}")
        _check_v2_output(spec, named[0])


def _check_v2_output(spec: Mapping[str, Any], output: Mapping[str, Any]) -> None:
    where = f"outputs[{output.get('name')}].data"
    data = output.get("data")
    flat = list(data) if isinstance(data, list) else []
    while flat and all(isinstance(one, list) for one in flat):
        flat = [one for part in flat for one in part]
    if not flat:
        raise _unexpected(f"{where} is empty")
    tensor = spec.get("tensor-spec")
    if isinstance(tensor, dict):
        check_tensor(tensor, flat, where, shape=output.get("shape"))
        return
    if spec.get("type") in ("array", "object", "map", "any"):
        return  # The protocol has no such types: servers encode them in their own ways.
    for index, value in enumerate(flat):
        check_type(spec, value, f"{where}[{index}]")


def _unusable(text: str) -> EvaluationError:
    return EvaluationError(ErrorReason.INVALID, f"the input example {text}")


def _unexpected(text: str) -> EvaluationError:
    return EvaluationError(ErrorReason.UNEXPECTED, text)
