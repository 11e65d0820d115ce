"""A Bento with ONNX Runtime behind it; its environment selects the model."""

import os
from pathlib import Path

import bentoml
import numpy
import onnxruntime


@bentoml.service
class Api:
    """Rows in, rows out."""

    def __init__(self) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        file = Path(os.environ["MODEL_PATH"]) / "model.onnx"
        self._session = onnxruntime.InferenceSession(file, options)

    @bentoml.api  # type: ignore[untyped-decorator]
    def classify(self, input: list[list[float]]) -> list[list[float]]:
        [output] = self._session.run(None, {"x": numpy.array(input, dtype=numpy.float32)})
        rows: list[list[float]] = output.tolist()
        return rows
