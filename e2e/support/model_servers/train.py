"""Makes the models: `python train.py FOLDER`, run where the libraries are that they need.

Beside each model is `expected.json`: rows, and the model's predictions for them.
"""

import json
import sys
from pathlib import Path
from typing import Any

import joblib
import numpy
import onnx
import xgboost
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression

ROWS = 8


def main() -> None:
    folder = Path(sys.argv[1])
    features, labels = make_classification(n_samples=500, n_features=4, random_state=7)
    rows = features[:ROWS].astype(numpy.float32)

    linear = LogisticRegression().fit(features, labels)
    joblib.dump(linear, place(folder, "sklearn") / "model.joblib")
    expect(folder, "sklearn", rows, linear.predict(rows))

    trees = xgboost.XGBRegressor(n_estimators=20, max_depth=3).fit(features, labels)
    trees.get_booster().save_model(place(folder, "xgboost") / "model.json")
    expect(folder, "xgboost", rows, trees.predict(rows))

    weights = linear.coef_.T.astype(numpy.float32)
    shift = linear.intercept_.astype(numpy.float32)
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "w"], ["xw"]),
            helper.make_node("Add", ["xw", "b"], ["y"]),
        ],
        "linear",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 1])],
        [numpy_helper.from_array(weights, "w"), numpy_helper.from_array(shift, "b")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    onnx.save(model, place(folder, "onnx") / "model.onnx")
    expect(folder, "onnx", rows, rows @ weights + shift)


def place(folder: Path, name: str) -> Path:
    (folder / name).mkdir(parents=True, exist_ok=True)
    return folder / name


def expect(folder: Path, name: str, rows: Any, predictions: Any) -> None:
    text = json.dumps({"rows": rows.tolist(), "said": predictions.ravel().tolist()})
    (folder / f"{name}.json").write_text(text)


main()
