"""The input example of a model in each protocol, and answers that have its outputs or do not."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from canarium.evaluation.errors import ErrorReason, EvaluationError
from canarium.evaluation.logged_examples import check_answer, described, request
from canarium.evaluation.pool import Pool

rule = pytest.mark.rule
TABLE = {"columns": ["amount", "country"], "data": [[1.5, "DE"], [20, "FR"]]}
COLUMNS = [{"type": "double", "name": "amount"}, {"type": "string", "name": "country"}]
TENSOR = {"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 2]}}
SERVING = {
    "artifact_path": "input_example.json",
    "serving_input_path": "serving_input_example.json",
}


def model(**changed: Any) -> bytes:
    """A file MLmodel, as MLflow 3 writes it for an example that is a table."""
    signature = {"inputs": json.dumps(COLUMNS), "outputs": '[{"type": "long"}]', "params": None}
    info = {**SERVING, "type": "dataframe", "pandas_orient": "split"}
    whole = {"signature": signature, "saved_input_example_info": info, "model_id": "m-1"} | changed
    return yaml.safe_dump(whole).encode()


def signature(outputs: list[dict[str, Any]], inputs: list[dict[str, Any]] | None = None) -> bytes:
    return json.dumps(
        {"inputs": COLUMNS if inputs is None else inputs, "outputs": outputs}
    ).encode()


def sent(
    protocol: str, example: Any, kind: str = "serving", inputs: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    body = request(kind, protocol, signature([], inputs), json.dumps(example).encode())
    parsed: dict[str, Any] = json.loads(body)
    return parsed


def refusal(protocol: str, outputs: list[dict[str, Any]], answer: Any) -> str:
    """Why an answer does not match; empty if it does."""
    try:
        check_answer(protocol, signature(outputs), json.dumps(answer).encode())
    except EvaluationError as error:
        return str(error) if error.reason is ErrorReason.UNEXPECTED else error.reason
    return ""


def test_example_for_serving_is_preferred() -> None:
    found, stored = described(model())
    assert found == {"path": "serving_input_example.json", "kind": "serving"}
    assert json.loads(stored) == {"inputs": COLUMNS, "outputs": [{"type": "long"}]}


@pytest.mark.parametrize(
    ("info", "kind"),
    [
        ({"type": "dataframe", "pandas_orient": "split"}, "table"),
        ({"type": "dataframe", "pandas_orient": "values"}, "inputs"),
        ({"type": "ndarray"}, "inputs"),
        ({"type": "json_object"}, "inputs"),
        ({"type": "dataframe", "pandas_orient": "split", "params": "true"}, "parameters"),
    ],
)
def test_example_of_an_older_mlflow_is_read_as_it_was_logged(info: Any, kind: str) -> None:
    body = model(saved_input_example_info={"artifact_path": "input_example.json", **info})
    assert described(body)[0] == {"path": "input_example.json", "kind": kind}


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"saved_input_example_info": None}, "the model was logged without input example"),
        ({"signature": None}, "the model was logged without signature with outputs"),
        ({"signature": {"inputs": "[]"}}, "the model was logged without signature with outputs"),
        (
            {"signature": None, "saved_input_example_info": {}},
            "the model was logged without input example and signature with outputs",
        ),
        ({"signature": {"outputs": '"x"'}}, "the outputs of its signature are not a list"),
        ({"signature": {"outputs": "[1]"}}, "the outputs of its signature are not a list"),
        (
            {"saved_input_example_info": {"artifact_path": "../../secret"}},
            "the input example is not in the folder of the model",
        ),
        (
            {"saved_input_example_info": {"artifact_path": "/etc/passwd"}},
            "the input example is not in the folder of the model",
        ),
        (
            {"saved_input_example_info": {"artifact_path": "x", "type": "sparse_matrix_csr"}},
            "the input example is a sparse matrix, which servers do not take",
        ),
        (
            {"saved_input_example_info": {"artifact_path": "x" * 300}},
            "the input example has no usable path",
        ),
    ],
)
def test_model_without_a_usable_example_is_refused_with_the_reason(changed: Any, text: str) -> None:
    with pytest.raises(EvaluationError) as refused:
        described(model(**changed))
    assert (refused.value.reason, str(refused.value)) == (ErrorReason.INVALID, text)


def test_example_for_mlflow_is_sent_as_it_is() -> None:
    example = {"dataframe_split": TABLE, "params": {"k": 1}}
    assert sent("MLflow", example) == example
    assert sent("MLflow", TABLE, "table") == {"dataframe_split": TABLE}
    assert sent("MLflow", {"inputs": [1], "params": {"k": 1}}, "parameters") == {"inputs": [1]}
    assert sent("MLflow", [[1, 2]], "inputs") == {"inputs": [[1, 2]]}


def test_table_is_rows_in_v1_and_typed_columns_in_v2() -> None:
    example = {"dataframe_split": TABLE}
    assert sent("V1", example) == {"instances": [[1.5, "DE"], [20, "FR"]]}
    assert sent("V2", example) == {
        "parameters": {"content_type": "pd"},
        "inputs": [
            {"name": "amount", "shape": [2], "datatype": "FP64", "data": [1.5, 20]},
            {
                "name": "country",
                "shape": [2],
                "datatype": "BYTES",
                "data": ["DE", "FR"],
                "parameters": {"content_type": "str"},
            },
        ],
    }


def test_tensor_is_one_input_with_its_shape_in_v2() -> None:
    example = {"inputs": [[1, 2], [3, 4], [5, 6]]}
    assert sent("V1", example) == {"instances": [[1, 2], [3, 4], [5, 6]]}
    assert sent("V2", example, inputs=[TENSOR]) == {
        "inputs": [
            {"name": "input-0", "shape": [3, 2], "datatype": "FP64", "data": [1, 2, 3, 4, 5, 6]}
        ]
    }
    named = {"inputs": {"tokens": [[1, 2]], "mask": [[True, False]]}}
    assert sent("V1", named) == named
    assert [
        (one["name"], one["shape"], one["datatype"])
        for one in sent("V2", named, inputs=[])["inputs"]
    ] == [("tokens", [1, 2], "INT64"), ("mask", [1, 2], "BOOL")]


def test_records_and_values_are_columns_in_v2() -> None:
    records = {"inputs": [{"amount": 1.0, "country": "DE"}]}
    assert [one["data"] for one in sent("V2", records)["inputs"]] == [[1.0], ["DE"]]
    text = sent("V2", {"inputs": "hello"}, inputs=[{"type": "string"}])
    assert text["inputs"][0] == {
        "name": "input-0", "shape": [1], "datatype": "BYTES", "data": ["hello"],
    }  # fmt: skip
    assert sent("V1", {"inputs": "hello"}) == {"instances": ["hello"]}


@pytest.mark.parametrize(
    ("protocol", "example", "text"),
    [
        ("V1", {"messages": []}, "is not a table, and has no inputs, as requests to language"),
        ("V2", {"inputs": [[1], [1, 2]]}, "is ragged in input 'input-0'"),
        ("V2", {"inputs": {"a": {"b": 1}}}, "has values in input 'a' that the protocol V2 cannot"),
        ("V2", {"inputs": [{"a": None}]}, "has values in input 'a' that the protocol V2 cannot"),
        ("V1", {"dataframe_split": {"data": [1]}}, "is a table without rows"),
        (
            "V2",
            {"dataframe_split": {"columns": ["a"], "data": [[1, 2]]}},
            "has rows of different lengths",
        ),
        ("MLflow", [1], "is not a JSON object"),
    ],
)
def test_example_that_a_protocol_cannot_express_is_refused(
    protocol: str, example: Any, text: str
) -> None:
    with pytest.raises(EvaluationError) as refused:
        sent(protocol, example, inputs=[])
    assert refused.value.reason is ErrorReason.INVALID
    assert f"the input example {text}" in str(refused.value)


@pytest.mark.parametrize("protocol", ["MLflow", "V1"])
@pytest.mark.parametrize(
    ("outputs", "predictions"),
    [
        ([{"type": "long"}], [0, 1]),
        ([{"type": "double"}], [0, 0.5]),
        ([{"type": "long", "name": "label"}], [{"label": 1, "extra": "x"}]),
        ([{"type": "long"}, {"type": "string"}], [[1, "a"]]),
        ([{"type": "string", "required": False}], [None]),
        ([{"type": "array", "items": {"type": "double"}}], [[0.1, 0.2], []]),
        ([{"type": "object", "properties": {"a": {"type": "long"}}}], [{"a": 1}]),
        ([{"type": "map", "values": {"type": "boolean"}}], {"a": True}),
        ([TENSOR], [[0.1, 0.9], [1, 0]]),
        ([{**TENSOR, "name": "p"}], {"p": [[0.1, 0.9]]}),
        ([{"type": "any"}], [{"whatever": [1]}]),
    ],
)
def test_answer_with_the_outputs_matches(
    protocol: str, outputs: list[dict[str, Any]], predictions: Any
) -> None:
    assert refusal(protocol, outputs, {"predictions": predictions}) == ""


@pytest.mark.parametrize(
    ("outputs", "predictions", "text"),
    [
        ([{"type": "long"}], ["high"], 'predictions[0] is "high", expected long'),
        ([{"type": "long"}], [1, 0.5], "predictions[1] is 0.5, expected long"),
        ([{"type": "double"}], [None], "predictions[0] is null, expected double"),
        ([{"type": "double"}], [True], "predictions[0] is true, expected double"),
        ([{"type": "boolean"}], [1], "predictions[0] is 1, expected boolean"),
        ([{"type": "long"}], [], "predictions is empty"),
        ([{"type": "long"}], [[1, 2]], "predictions[0] has 2 values, expected 1"),
        (
            [{"type": "long", "name": "label"}],
            [{"score": 1}],
            "predictions[0] has no field 'label'",
        ),
        (
            [{"type": "long"}, {"type": "long"}],
            [1],
            "predictions[0] is 1, expected 2 columns",
        ),
        (
            [{"type": "array", "items": {"type": "long"}}],
            [["x"]],
            'predictions[0][0] is "x", expected long',
        ),
        ([{"type": "array", "items": {}}], [1], "predictions[0] is 1, expected a list"),
        (
            [{"type": "object", "properties": {"a": {"type": "long"}}}],
            [{}],
            "predictions[0] has no field 'a'",
        ),
        ([{"type": "map", "values": {"type": "long"}}], [{"a": ""}], "predictions[0].a is"),
        ([TENSOR], [[0.1, 0.2, 0.7]], "predictions has the shape [1,3], expected [-1, 2]"),
        ([TENSOR], [0.1, 0.2], "predictions has the shape [2], expected [-1, 2]"),
        ([TENSOR], [[0.1, 0.2], [1]], "predictions has lists of different lengths"),
        ([TENSOR], [[0.1, "x"]], 'predictions contains "x", expected float64'),
        ([TENSOR], [], "predictions has the shape [0], expected [-1, 2]"),
        ([{**TENSOR, "name": "p"}], {"q": [[1, 2]]}, "predictions has no output 'p'"),
    ],
)
def test_answer_without_the_outputs_is_refused_with_the_value(
    outputs: list[dict[str, Any]], predictions: Any, text: str
) -> None:
    assert text in refusal("MLflow", outputs, {"predictions": predictions})


def test_answer_that_is_not_a_prediction_is_refused() -> None:
    long = [{"type": "long"}]
    assert refusal("V1", long, {"error": "x"}) == "the answer has no field predictions"
    assert refusal("V1", long, [1]) == "the answer is not a JSON object"
    assert refusal("V2", long, {"predictions": [1]}) == "the answer has no list of outputs"
    assert refusal("V2", long, {"outputs": []}) == "the answer has no output"
    with pytest.raises(EvaluationError) as broken:
        check_answer("V2", signature(long), b"<html>")
    assert broken.value.reason is ErrorReason.UNREADABLE


def v2(data: list[Any], name: str = "predict", **more: Any) -> dict[str, Any]:
    return {"outputs": [{"name": name, "shape": [len(data)], "data": data, **more}]}


def test_v2_answer_is_matched_by_name_or_by_place() -> None:
    long, two = [{"type": "long"}], [{"type": "long", "name": "a"}, {"type": "double", "name": "b"}]
    assert refusal("V2", long, v2([0, 1])) == ""
    assert refusal("V2", long, v2(["x"])) == 'outputs[predict].data[0] is "x", expected long'
    assert refusal("V2", long, v2([])) == "outputs[predict].data is empty"
    both = {"outputs": [v2([1], "b")["outputs"][0], v2([1], "a")["outputs"][0]]}
    assert refusal("V2", two, both) == ""
    assert refusal("V2", two, v2([1], "a")) == "the answer has no output 'b'"
    assert refusal("V2", two, v2([1, 2, 3, 4], shape=[2, 2])) == ""
    assert refusal("V2", [TENSOR], v2([0.1, 0.9], shape=[1, 2])) == ""
    labels = {"type": "tensor", "tensor-spec": {"dtype": "int64", "shape": [-1]}}
    assert refusal("V2", [labels], v2([0, 1], shape=[2, 1])) == "", "as MLServer answers"
    assert refusal("V2", [labels], v2([0, 1], shape=[2])) == ""
    assert "has the shape [1,2]" in refusal("V2", [labels], v2([0, 1], shape=[1, 2]))
    assert "has the shape [2]" in refusal("V2", [TENSOR], v2([0.1, 0.9]))


@pytest.mark.slow  # uses up the processor time that a worker may take
@rule("R31")
async def test_example_of_any_size_and_depth_ends_within_the_limits() -> None:
    pool = Pool()
    try:
        deep = b"[" * 100_000 + b"]" * 100_000
        bomb = b"a: &a [x,x,x,x,x,x,x,x,x]\n" + b"".join(
            b"%c: &%c [%s]\n" % (n, n, b",".join([b"*%c" % (n - 1)] * 9)) for n in range(98, 110)
        )
        for task, blobs, header in (
            ("mlflow_example", (bomb,), {}),
            ("mlflow_example", (deep,), {}),
            ("mlflow_request", (signature([]), deep), {"kind": "serving", "protocol": "V2"}),
            ("mlflow_answer", (signature([TENSOR]), deep), {"protocol": "V1"}),
        ):
            with pytest.raises(EvaluationError):
                await pool.evaluate("risk", task, *blobs, **header)
        _, (body,) = await pool.evaluate(
            "risk", "mlflow_request", signature([]), b'{"inputs": [[1]]}',
            kind="serving", protocol="V1",
        )  # fmt: skip
        assert body == b'{"instances":[[1]]}', "the workers still answer"
    finally:
        await pool.close()
